"""From a functional Keras model to a graph, and from a graph to a model in float32.

On the way to a graph the package's own blocks are taken apart into plain layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from amseg_keras.layers import AttentionGate, ConvBlock, FireBlock, ResidualBlock, SqueezeExpand
from amseg_keras.rewrite.graph import (
    Affine,
    Conv,
    Graph,
    Node,
    Output,
    Place,
    Start,
    Step,
    UpConv,
    conv,
    norm,
    relu,
    scale_and_shift,
    step,
    values,
    width,
)

Kernel = tuple[np.ndarray, np.ndarray]
"""Kernel `(rows, columns, in, out)` and bias `(out,)`."""


def _conv_block(block: ConvBlock, merge_branches: bool, x: Node) -> Node:
    convolved = conv(x, block.conv, f"{block.name}_conv")
    return relu(norm(convolved, block.norm, f"{block.name}_norm"), block.name)


def _residual(block: ResidualBlock, merge_branches: bool, x: Node) -> Node:
    name = block.name
    first = norm(conv(x, block.first, f"{name}_conv_1"), block.first_norm, f"{name}_norm_1")
    hidden = relu(first, f"{name}_relu")
    second = norm(conv(hidden, block.second, f"{name}_conv_2"), block.second_norm, f"{name}_norm_2")
    shortcut = conv(x, block.shortcut, f"{name}_conv_shortcut")
    shortcut = norm(shortcut, block.shortcut_norm, f"{name}_shortcut")
    added = step(keras.layers.Add(), second, shortcut, name=f"{name}_add", width=block.width)
    return relu(added, name)


def _attention_gate(block: AttentionGate, merge_branches: bool, x: Node, gating: Node) -> Node:
    name = block.name
    theta, phi = conv(x, block.theta, f"{name}_theta"), conv(gating, block.phi, f"{name}_phi")
    both = step(keras.layers.Add(), theta, phi, name=f"{name}_add", width=block.width)
    alpha = conv(relu(both, f"{name}_relu"), block.psi, f"{name}_alpha")
    weighed = step(keras.layers.Multiply(), alpha, x, name=f"{name}_weighed", width=width(x))
    return norm(weighed, block.norm, name)


def _squeeze_expand(block: SqueezeExpand, merge_branches: bool, x: Node) -> Node:
    name = block.name
    squeezed = conv(x, block.squeeze, f"{name}_squeeze")
    norms = block.residual_norm, block.separable_norm, block.expand_norm
    if merge_branches:
        kernels = [_kernel(block.residual), _separable(block), _kernel(block.expand)]
        return relu(_merged(squeezed, kernels, norms, f"{name}_expand"), name)
    depthwise = step(block.depthwise, squeezed, name=f"{name}_depthwise", width=2 * block.width)
    branches = [
        conv(squeezed, block.residual, f"{name}_residual"),
        conv(depthwise, block.pointwise, f"{name}_separable"),
        conv(squeezed, block.expand, f"{name}_expand"),
    ]
    return relu(_concatenated(branches, norms, f"{name}_branches"), name)


def _fire(block: FireBlock, merge_branches: bool, x: Node) -> Node:
    name = block.name
    squeezed = conv(x, block.squeeze, f"{name}_squeeze_conv")
    squeezed = relu(norm(squeezed, block.squeeze_norm, f"{name}_squeeze_norm"), f"{name}_squeeze")
    norms = block.left_norm, block.right_norm
    if merge_branches:
        kernels = [_kernel(block.left), _kernel(block.right)]
        return relu(_merged(squeezed, kernels, norms, f"{name}_expand"), name)
    branches = [
        conv(squeezed, block.left, f"{name}_left"),
        conv(squeezed, block.right, f"{name}_right"),
    ]
    return relu(_concatenated(branches, norms, f"{name}_branches"), name)


BLOCKS: Mapping[type[keras.layers.Layer], Callable[..., Node]] = {
    AttentionGate: _attention_gate,
    ConvBlock: _conv_block,
    FireBlock: _fire,
    ResidualBlock: _residual,
    SqueezeExpand: _squeeze_expand,
}
"""`(block, merge_branches, *inputs)` to the node that gives the same."""


def _merged(
    x: Node, kernels: list[Kernel], norms: tuple[keras.layers.BatchNormalization, ...], name: str
) -> Node:
    """Convolutions of the same tensor, each with its norm, as one 3x3 convolution."""
    # The zeros around a 1x1 kernel see only what they do not weigh: borders stay exact.
    convolved = Conv(
        name=f"{name}_conv",
        inputs=(x,),
        kernel=np.concatenate([_three_by_three(kernel) for kernel, _ in kernels], axis=-1),
        bias=np.concatenate([bias for _, bias in kernels]),
    )
    scales, shifts = zip(*map(scale_and_shift, norms), strict=True)
    scale, shift = np.concatenate(scales), np.concatenate(shifts)
    return Affine(name=name, inputs=(convolved,), scale=scale, shift=shift)


def _concatenated(
    branches: list[Node], norms: tuple[keras.layers.BatchNormalization, ...], name: str
) -> Node:
    """Branches, each with its norm, one after the other in the channels."""
    normed = [
        norm(branch, layer, f"{branch.name}_norm")
        for branch, layer in zip(branches, norms, strict=True)
    ]
    channels = sum(len(branch.scale) for branch in normed)
    return step(keras.layers.Concatenate(), *normed, name=name, width=channels)


def _separable(block: SqueezeExpand) -> Kernel:
    """`SqueezeExpand.separable_kernel` in float64."""
    depthwise, pointwise = values(block.depthwise.kernel), values(block.pointwise.kernel)[0, 0]
    into = pointwise.reshape(block.width, 2, -1)
    kernel = np.einsum("rcim,imo->rcio", depthwise, into)
    return kernel, values(block.depthwise.bias) @ pointwise + values(block.pointwise.bias)


def _kernel(layer: keras.layers.Conv2D) -> Kernel:
    return values(layer.kernel), values(layer.bias)


def _three_by_three(kernel: np.ndarray) -> np.ndarray:
    return np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0))) if len(kernel) == 1 else kernel


def read_graph(model: keras.Model, merge_branches: bool) -> Graph:
    """The graph of a functional model.

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
                nodes[id(tensor)] = Start(name=call.operation.name, tensor=tensor)
            else:
                made = _called(call, nodes, merge_branches)
                nodes.update(zip(map(id, call.outputs), made, strict=True))

    def found(tensor: Any) -> Node:
        return nodes[id(tensor)]

    return Graph(
        model.name,
        keras.tree.map_structure(found, model.input),
        keras.tree.map_structure(found, model.output),
    )


def _called(call: Any, nodes: dict[int, Node], merge_branches: bool) -> list[Node]:
    """A node for each output of a layer's call."""
    layer = call.operation
    inputs = tuple(nodes[id(tensor)] for tensor in call.input_tensors)
    if _is_for_inference(call):
        if type(layer) in BLOCKS:
            return [BLOCKS[type(layer)](layer, merge_branches, *inputs)]
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
    """Whether a layer was called on tensors alone, not for instance with `training=True`."""
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
    """The model of a graph, its weights rounded to float32 only now."""
    writer = _Writer()
    for node in graph.nodes():
        writer.write(node)
    inputs, outputs = (
        keras.tree.map_structure(writer.tensors.__getitem__, ends)
        for ends in (graph.inputs, graph.outputs)
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
                shape, dtype = node.tensor.shape, node.tensor.dtype
                return keras.Input(batch_shape=shape, dtype=dtype, name=self._unused(node.name))
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
        if isinstance(layer, keras.layers.Layer):
            layer.set_weights(node.layer.get_weights())
        return made

    def _unused(self, name: str) -> str:
        number, unused = 1, name
        while unused in self._names:
            number, unused = number + 1, f"{name}_{number}"
        self._names.add(unused)
        return unused


def _with_weights(node: Node, name: str) -> tuple[keras.layers.Layer, list[np.ndarray]]:
    """The layer of a node, not built, and the weights that it is to get."""
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
    """A layer or operation of its own for the new model, without weights yet."""
    config = {**layer.get_config(), "name": name}
    if getattr(layer, "compute_dtype", None) in ("float16", "bfloat16"):
        config["dtype"] = "float32"
    return type(layer).from_config(config)
