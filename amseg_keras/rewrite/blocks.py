"""The layers and blocks that networks are made of, as nodes of a graph.

Each function takes a layer of Keras or one in plain values, and takes blocks of this package apart
into plain layers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from amseg_keras.rewrite.graph import Affine, Conv, Node, Place, Plain, Step, activation_of, width


def step(layer: Any, *inputs: Node, name: str, width: int | None) -> Step:
    """Make a node of a layer that takes one tensor or several, and gives one."""
    places = [Place(number) for number in range(len(inputs))]
    given = places[0] if len(places) == 1 else places
    return Step(name=name, inputs=inputs, layer=layer, call=((given,), {}), width=width)


def conv(x: Node, layer: Any, name: str) -> Node:
    """Return a `Conv2D` with its activation, if it has one."""
    activation = activation_of(layer)
    plain = activation == "linear"
    made = Conv(
        name=name if plain else f"{name}_conv",
        inputs=(x,),
        kernel=values(layer.kernel),
        bias=values(layer.bias) if layer.use_bias else None,
        strides=tuple(layer.strides),
        padding=layer.padding,
        dilation=tuple(layer.dilation_rate),
    )
    if plain:
        return made
    if activation == "relu":
        return relu(made, name)
    activating = Plain(kind="Activation", activation=activation or layer.activation)
    return step(activating, made, name=name, width=width(made))


def norm(x: Node, layer: Any, name: str) -> Affine:
    """Return a `BatchNormalization` of the last axis with its statistics."""
    scale, shift = scale_and_shift(layer)
    return Affine(name=name, inputs=(x,), scale=scale, shift=shift)


def relu(x: Node, name: str) -> Node:
    """Return a ReLU."""
    return step(Plain(kind="ReLU"), x, name=name, width=width(x))


def scale_and_shift(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a trained batch norm as factor and summand for each channel, float64."""
    mean, variance = values(layer.moving_mean), values(layer.moving_variance)
    gamma = values(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = values(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def values(variable: Any) -> np.ndarray:
    """Return a variable as float64, in which all arithmetic on weights is done."""
    if not isinstance(variable, np.ndarray):
        variable = np.asarray(sys.modules["keras"].ops.convert_to_numpy(variable))
    return np.asarray(variable, np.float64)


Kernel = tuple[np.ndarray, np.ndarray]
"""Kernel `(rows, columns, in, out)` and bias `(out,)`."""


def _conv_block(block: Any, merge_branches: bool, x: Node) -> Node:
    convolved = conv(x, block.conv, f"{block.name}_conv")
    return relu(norm(convolved, block.norm, f"{block.name}_norm"), block.name)


def _residual(block: Any, merge_branches: bool, x: Node) -> Node:
    name = block.name
    first = norm(conv(x, block.first, f"{name}_conv_1"), block.first_norm, f"{name}_norm_1")
    hidden = relu(first, f"{name}_relu")
    second = norm(conv(hidden, block.second, f"{name}_conv_2"), block.second_norm, f"{name}_norm_2")
    shortcut = conv(x, block.shortcut, f"{name}_conv_shortcut")
    shortcut = norm(shortcut, block.shortcut_norm, f"{name}_shortcut")
    added = step(Plain(kind="Add"), second, shortcut, name=f"{name}_add", width=block.width)
    return relu(added, name)


def _attention_gate(block: Any, merge_branches: bool, x: Node, gating: Node) -> Node:
    name = block.name
    theta, phi = conv(x, block.theta, f"{name}_theta"), conv(gating, block.phi, f"{name}_phi")
    both = step(Plain(kind="Add"), theta, phi, name=f"{name}_add", width=block.width)
    alpha = conv(relu(both, f"{name}_relu"), block.psi, f"{name}_alpha")
    weighed = step(Plain(kind="Multiply"), alpha, x, name=f"{name}_weighed", width=width(x))
    return norm(weighed, block.norm, name)


def _squeeze_expand(block: Any, merge_branches: bool, x: Node) -> Node:
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


def _fire(block: Any, merge_branches: bool, x: Node) -> Node:
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


BLOCKS: Mapping[str, Callable[..., Node]] = {
    "AttentionGate": _attention_gate,
    "ConvBlock": _conv_block,
    "FireBlock": _fire,
    "ResidualBlock": _residual,
    "SqueezeExpand": _squeeze_expand,
}
"""By kind of block: `(block, merge_branches, *inputs)` to the node that gives the same."""


def _merged(x: Node, kernels: list[Kernel], norms: tuple[Any, ...], name: str) -> Node:
    """Merge convolutions of the same tensor, each with its norm, to one 3x3 convolution."""
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


def _concatenated(branches: list[Node], norms: tuple[Any, ...], name: str) -> Node:
    """Concatenate branches, each with its norm, along the channels."""
    normed = [
        norm(branch, layer, f"{branch.name}_norm")
        for branch, layer in zip(branches, norms, strict=True)
    ]
    channels = sum(len(branch.scale) for branch in normed)
    return step(Plain(kind="Concatenate", axis=-1), *normed, name=name, width=channels)


def _separable(block: Any) -> Kernel:
    """Compute `SqueezeExpand.separable_kernel` in float64."""
    depthwise, pointwise = values(block.depthwise.kernel), values(block.pointwise.kernel)[0, 0]
    into = pointwise.reshape(block.width, 2, -1)
    kernel = np.einsum("rcim,imo->rcio", depthwise, into)
    return kernel, values(block.depthwise.bias) @ pointwise + values(block.pointwise.bias)


def _kernel(layer: Any) -> Kernel:
    return values(layer.kernel), values(layer.bias)


def _three_by_three(kernel: np.ndarray) -> np.ndarray:
    return np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0))) if len(kernel) == 1 else kernel
