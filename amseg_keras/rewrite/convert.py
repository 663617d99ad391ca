"""From a functional Keras model to a graph, and from a graph to a Keras model in float32."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

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
    kind_of,
    mapped,
)


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
