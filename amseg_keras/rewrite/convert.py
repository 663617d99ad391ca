"""Convert a functional Keras model to a graph, and a graph to an equivalent model for inference."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.layers import DepthToSpace
from amseg_keras.rewrite.blocks import BLOCKS, conv, norm
from amseg_keras.rewrite.graph import (
    Affine,
    Conv,
    Graph,
    Node,
    Output,
    Place,
    Plain,
    Start,
    Step,
    UpConv,
    activation_of,
    items,
    kind_of,
    mapped,
)
from amseg_keras.rewrite.rules import rewritten


def read_graph(model: keras.Model, merge_branches: bool) -> Graph:
    """Read the graph of a functional model.

    Raises:
        ValueError: the model is not functional.
    """
    if not isinstance(model, keras.Function):
        raise ValueError(
            f"{model.name} is a {type(model).__name__}; only a functional model can be rewritten, "
            "of a Sequential one, keras.Model(model.inputs, model.outputs)"
        )
    nodes: dict[int, Node] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for call in model._nodes_by_depth[depth]:
            if call.is_input:
                (tensor,) = call.outputs
                nodes[id(tensor)] = Start(
                    name=call.operation.name, shape=tuple(tensor.shape), dtype=tensor.dtype
                )
            else:
                made = _called(call, nodes, merge_branches)
                nodes.update(zip(map(id, call.outputs), made, strict=True))

    def found(tensor: Any) -> Node:
        return nodes[id(tensor)]

    return Graph(model.name, mapped(model.input, found), mapped(model.output, found))


def _called(call: Any, nodes: dict[int, Node], merge_branches: bool) -> list[Node]:
    """Make a node for each output of a layer's call."""
    layer = call.operation
    inputs = tuple(nodes[id(tensor)] for tensor in call.input_tensors)
    if _is_for_inference(call):
        if (kind := kind_of(layer)) in BLOCKS:
            return [BLOCKS[kind](layer, merge_branches, *inputs)]
        if _is_plain_conv(layer):
            return [conv(inputs[0], layer, layer.name)]
        if _is_plain_norm(layer, len(call.input_tensors[0].shape)):
            return [norm(inputs[0], layer, layer.name)]
        if type(layer) is keras.layers.Dropout:
            return [inputs[0]]
    places = {id(tensor): Place(number) for number, tensor in enumerate(call.input_tensors)}
    whole = Step(
        name=layer.name,
        inputs=inputs,
        layer=layer,
        call=call.arguments.fill_in(places),
        width=call.outputs[0].shape[-1] if len(call.outputs) == 1 else None,
    )
    if len(call.outputs) == 1:
        return [whole]
    return [
        Output(name=layer.name, inputs=(whole,), number=number)
        for number in range(len(call.outputs))
    ]


def _is_for_inference(call: Any) -> bool:
    """Tell whether a layer was called on tensors alone, not for instance with `training=True`."""
    named = call.arguments.kwargs.values()
    return len(call.arguments.args) == 1 and all(value is None or value is False for value in named)


def _is_plain_conv(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.data_format == "channels_last"
        and layer.groups == 1
    )


def _is_plain_norm(layer: Any, rank: int) -> bool:
    return type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, rank - 1)


# Both are exact in float32 and so is their sum, one: a norm with them multiplies and adds only.
_EPSILON = 2.0**-10
_VARIANCE = 1 - _EPSILON


def write_model(graph: Graph) -> keras.Model:
    """Build the model of a graph, with weights rounded to float32."""
    writer = _Writer()
    for node in graph.nodes():
        writer.write(node)
    inputs, outputs = (
        mapped(ends, writer.tensors.__getitem__) for ends in (graph.inputs, graph.outputs)
    )
    model = keras.Model(inputs, outputs, name=graph.name)
    model.trainable = False
    return model


class _Writer:
    """Calls a layer for each node and remembers what it gave."""

    def __init__(self) -> None:
        self.tensors: dict[Node, Any] = {}
        self._names: set[str] = set()
        self._layers: dict[int, Any] = {}  # by the id of the original one, which may be shared

    def write(self, node: Node) -> None:
        self.tensors[node] = self._called(node, [self.tensors[before] for before in node.inputs])

    def _called(self, node: Node, inputs: list[Any]) -> Any:
        match node:
            case Start():
                name = self._unused(node.name)
                return keras.Input(batch_shape=node.shape, dtype=node.dtype, name=name)
            case Output():
                return keras.tree.flatten(inputs[0])[node.number]
            case Step():
                return self._step(node, inputs)
            case _:
                layer, weights = _with_weights(node, self._unused(node.name))
                made = layer(*inputs)
                layer.set_weights([value.astype(np.float32) for value in weights])
                return made

    def _step(self, node: Step, inputs: list[Any]) -> Any:
        layer = self._layers.get(id(node.layer))
        if layer is None:
            layer = _copied(node.layer, self._unused(node.name))
            self._layers[id(node.layer)] = layer

        def filled(argument: Any) -> Any:
            return inputs[argument.number] if isinstance(argument, Place) else argument

        args, kwargs = keras.tree.map_structure(filled, node.call)
        made = layer(*args, **kwargs)
        if isinstance(node.layer, keras.layers.Layer):
            layer.set_weights(node.layer.get_weights())
        return made

    def _unused(self, name: str) -> str:
        number, unused = 1, name
        while unused in self._names:
            number, unused = number + 1, f"{name}_{number}"
        self._names.add(unused)
        return unused


def _with_weights(node: Node, name: str) -> tuple[keras.layers.Layer, list[np.ndarray]]:
    """Return the layer of a node, not built, and its future weights."""
    common = {"name": name, "dtype": "float32"}
    # random kernels would take longer to make than all the rest
    kernels = {**common, "kernel_initializer": "zeros", "data_format": "channels_last"}
    match node:
        case Conv():
            layer = keras.layers.Conv2D(
                node.kernel.shape[-1],
                node.kernel.shape[:2],
                strides=node.strides,
                padding=node.padding,
                dilation_rate=node.dilation,
                use_bias=node.bias is not None,
                **kernels,
            )
            return layer, _present(node.kernel, node.bias)
        case UpConv():
            layer = keras.layers.Conv2DTranspose(
                node.kernel.shape[-1],
                node.kernel.shape[:2],
                strides=2,
                padding="same",
                use_bias=node.bias is not None,
                **kernels,
            )
            return layer, _present(node.kernel.swapaxes(2, 3), node.bias)
        case Affine():
            # Every exporter knows this layer and every engine runs it as one multiplication and
            # addition; depthwise convolutions are slow on many.
            layer = keras.layers.BatchNormalization(epsilon=_EPSILON, **common)
            zeros = np.zeros_like(node.shift)
            return layer, [node.scale, node.shift, zeros, np.full_like(zeros, _VARIANCE)]
    raise TypeError(f"no layer for {node}")


def _present(*weights: np.ndarray | None) -> list[np.ndarray]:
    return [weight for weight in weights if weight is not None]


def _copied(layer: Any, name: str) -> Any:
    """Copy a layer or operation for the new model, without weights yet."""
    if isinstance(layer, Plain):
        options = {key: value for key, value in vars(layer).items() if key != "kind"}
        kind = DepthToSpace if layer.kind == "DepthToSpace" else getattr(keras.layers, layer.kind)
        return kind(**{"dtype": "float32", **options, "name": name})
    config = {**layer.get_config(), "name": name}
    if getattr(layer, "compute_dtype", None) in ("float16", "bfloat16"):
        config["dtype"] = "float32"
    return type(layer).from_config(config)


def inference_model(model: keras.Model, *, merge_branches: bool = True) -> keras.Model:
    """Build the same function of plain Keras layers, with less to compute.

    The package's own blocks are taken apart into Keras' convolutions, additions and activations
    (`DepthToSpace` stays), dropout is left out, and:

    - batch norms are folded into the convolutions before them; one after anything else, such as
      that of the attention gate, stays as a `BatchNormalization`;
    - the branches of a squeeze-expand block or of a fire block become one 3x3 convolution;
    - a 3x3 convolution of channels that were upsampled by two, alone or concatenated with others,
      becomes a transposed convolution of the channels before, beside a convolution of the others;
      a 1x1 convolution changes places with the upsampling.

    A layer that took a block's place keeps its name where it gives the same tensor: `logits`, or
    `bottleneck_3`. Anything not named here, another model's own layer for instance, is copied with
    its weights. All arithmetic on weights is done in float64 and all convolutions are in float32,
    whatever the precision of the original, which is not changed. Probabilities are those of the
    original in float32, except for rounding.

    Args:
        model: a functional model, as those of `amseg_keras.models`.
        merge_branches: one convolution for the branches of a block, which multiplies more but is
            one operation instead of several.

    Returns:
        A functional model with the inputs and outputs of the original, not trainable.

    Raises:
        ValueError: the model is not functional.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> from amseg_keras.models.cost import macs
        >>> model = AMSegNet()
        >>> plain = inference_model(model, merge_branches=False)
        >>> round(macs(model) / 1e9, 2), round(macs(plain) / 1e9, 2)
        (22.91, 19.13)
    """
    return write_model(rewritten(read_graph(model, merge_branches)))


def label_model(model: keras.Model) -> keras.Model:
    """Build `inference_model` with class ids instead of probabilities, without softmax.

    The ids are found by comparing the scores of the classes. A network that ends in
    `DepthToSpace` has them found for each cell, before the pixels are laid out: there are no
    scores at full resolution.

    Args:
        model: a functional model with one output, scores or probabilities of at most 255 classes;
            one from `inference_model` too.

    Returns:
        A functional model from the inputs of the original to uint8 `(batch, height, width)`: the
        number of the largest probability, the first of equal ones.

    Raises:
        ValueError: the model is not functional, has several outputs, or more classes.

    Example:
        >>> import numpy as np
        >>> from amseg_keras.models import AMSegNet
        >>> labels = label_model(AMSegNet(base_filters=2))(np.zeros((1, 32, 48, 1)))
        >>> tuple(labels.shape), keras.backend.standardize_dtype(labels.dtype)
        ((1, 32, 48), 'uint8')
    """
    if len(model.outputs) != 1 or not 0 < (model.outputs[0].shape[-1] or 0) <= IGNORE:
        shapes = [tuple(output.shape) for output in model.outputs]
        raise ValueError(
            f"{model.name} gives {shapes}; labels can be had of one tensor of at most {IGNORE} "
            "classes"
        )
    graph = rewritten(read_graph(model, merge_branches=True))
    return ending_in_labels(graph, model.outputs[0].shape[-1])


def ending_in_labels(graph: Graph, classes: int) -> keras.Model:
    """Build the model of a graph with one output: scores or probabilities of the classes."""
    (end,) = items(graph.outputs)
    scores, block = _before_softmax(end), 1
    match scores:
        case Step(layer=to_pixels, inputs=(Conv() as cells,)) if (
            kind_of(to_pixels) == "DepthToSpace"
        ):
            scores, block = _class_by_class(cells, classes), to_pixels.block
    model = write_model(replace(graph, outputs=scores))
    return keras.Model(model.input, _labels(model.output, classes, block), name=graph.name)


def _before_softmax(node: Node) -> Node:
    """Return the scores before a softmax; without a softmax, the node itself."""
    if not isinstance(node, Step):
        return node
    kind, layer = kind_of(node.layer), node.layer
    is_softmax = (kind == "Softmax" and layer.axis in (-1, 3)) or (
        kind == "Activation" and activation_of(layer) == "softmax"
    )
    return node.inputs[0] if is_softmax else node


def _class_by_class(cells: Conv, classes: int) -> Conv:
    """Make a convolution to `pixels * classes` channels, ordered by class."""
    order = np.arange(cells.kernel.shape[-1]).reshape(-1, classes).T.ravel()
    bias = None if cells.bias is None else cells.bias[order]
    return replace(cells, kernel=cells.kernel[..., order], bias=bias)


def _labels(scores: Any, classes: int, block: int) -> Any:
    """Return the first class with the highest score, uint8 `(batch, height, width)`."""
    # Comparing whole tensors takes far less time than an argmax over so few channels, and OpenVINO
    # does not read Keras' argmax from TensorFlow.
    by_class = keras.ops.split(scores, classes, axis=-1)
    highest = functools.reduce(keras.ops.maximum, by_class)
    ids = keras.ops.full_like(highest, classes - 1)
    for number in reversed(range(classes - 1)):
        ids = keras.ops.where(by_class[number] >= highest, float(number), ids)
    ids = keras.ops.cast(ids, "uint8")
    if block > 1:
        ids = DepthToSpace(block, dtype="uint8", name="labels")(ids)
    return keras.ops.squeeze(ids, axis=-1)
