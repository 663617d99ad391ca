"""The package's own blocks taken apart into plain layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

from amseg_keras.layers import AttentionGate, ConvBlock, FireBlock, ResidualBlock, SqueezeExpand
from amseg_keras.rewrite.graph import Affine, Conv, Node, width
from amseg_keras.rewrite.plain import conv, norm, relu, scale_and_shift, step, values

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
