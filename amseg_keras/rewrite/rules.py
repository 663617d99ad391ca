"""The exact rewrites of a graph that leave less to compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from amseg_keras.rewrite.blocks import step
from amseg_keras.rewrite.graph import Affine, Conv, Graph, Node, Plain, Step, UpConv, kind_of, width

_CONCATENATE = Plain(kind="Concatenate", axis=-1)
_DOUBLING = Plain(
    kind="UpSampling2D", size=(2, 2), interpolation="nearest", data_format="channels_last"
)


def rewritten(graph: Graph) -> Graph:
    """Do all rewrites: the same function with less to compute."""
    return graph.changed(fold_norm).changed(convolve_before_upsampling)


def fold_norm(node: Node, alone: tuple[bool, ...]) -> Node:
    """Fold a norm into the convolution before it; a rule for `Graph.changed`.

    A norm after something else stays what it is, and so does one whose convolution another layer
    reads as well. It cannot move into what follows: a shift before zero padding is wrong at the
    borders.
    """
    match node:
        case Affine(inputs=(Conv() as conv,)) if alone[0]:
            bias = node.shift if conv.bias is None else conv.bias * node.scale + node.shift
            return replace(conv, name=node.name, kernel=conv.kernel * node.scale, bias=bias)
    return node


def in_float32(node: Node, alone: tuple[bool, ...]) -> Node:
    """Round weights as engines hold them; a rule for `Graph.changed`."""
    match node:
        case Conv() | UpConv():
            bias = None if node.bias is None else node.bias.astype(np.float32)
            return replace(node, kernel=node.kernel.astype(np.float32), bias=bias)
        case Affine():
            scale, shift = node.scale.astype(np.float32), node.shift.astype(np.float32)
            return replace(node, scale=scale, shift=shift)
    return node


# Which of a kernel's three rows meet, in the output rows around them, the two copies that nearest
# upsampling makes of one row.
_ROWS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float64)


def upsampled_kernel(kernel: np.ndarray) -> np.ndarray:
    """Compute the kernel of the transposed convolution that replaces upsampling and convolution.

    Nearest upsampling by two and then a 3x3 convolution padded as 'same' give what a 4x4 transposed
    convolution of stride 2, padded as 'same', gives with this kernel, at the borders too: outside
    of the frame both see zeros. It takes 4 multiplications a pixel where the convolution takes 9.

    Args:
        kernel: `(3, 3, in, out)`.

    Returns:
        `(4, 4, in, out)`, float64: sums of one, two or four of the weights.

    Example:
        >>> upsampled_kernel(np.ones((3, 3, 1, 1)))[..., 0, 0].tolist()
        [[1.0, 2.0, 2.0, 1.0], [2.0, 4.0, 4.0, 2.0], [2.0, 4.0, 4.0, 2.0], [1.0, 2.0, 2.0, 1.0]]
    """
    return np.asarray(np.einsum("ar,bc,rcio->abio", _ROWS, _ROWS, kernel))


def convolve_before_upsampling(node: Node, alone: tuple[bool, ...]) -> Node:
    """Convolve before upsampling; a rule for `Graph.changed`.

    Where they are concatenated with others, as in a decoder, each half is convolved for itself
    and the two are added. A 3x3 convolution becomes a transposed one, a 1x1 convolution changes
    places with the upsampling.
    """
    if not isinstance(node, Conv) or not _is_3x3_or_1x1(node):
        return node
    parts = _concatenated(node.inputs[0])
    widths = [known for known in map(width, parts) if known is not None]
    if len(widths) < len(parts) or not any(map(_is_doubling, parts)):
        return node
    kernels = np.split(node.kernel, np.cumsum(widths)[:-1], axis=2)
    halves = list(zip(parts, kernels, strict=True))
    others = [half for half in halves if not _is_doubling(half[0])]
    terms = [_at_full_resolution(node, others)] if others else []
    for part, kernel in halves:
        if _is_doubling(part):
            # the bias is added once
            convolution = replace(node, bias=None) if terms else node
            terms.append(_at_low_resolution(convolution, part, kernel))
    if len(terms) == 1:
        return replace(terms[0], name=node.name)
    return step(Plain(kind="Add"), *terms, name=node.name, width=width(node))


def _at_full_resolution(node: Conv, halves: list[tuple[Node, np.ndarray]]) -> Node:
    parts, kernels = zip(*halves, strict=True)
    x = parts[0]
    if len(parts) > 1:
        total = sum(kernel.shape[2] for kernel in kernels)
        x = step(_CONCATENATE, *parts, name=f"{node.name}_rest", width=total)
    kernel = np.concatenate(kernels, axis=2)
    return replace(node, name=f"{node.name}_skip", inputs=(x,), kernel=kernel)


def _at_low_resolution(node: Conv, upsampling: Node, kernel: np.ndarray) -> Node:
    (low,) = upsampling.inputs
    name = f"{node.name}_upsampled"
    if len(kernel) == 3:
        return UpConv(name=name, inputs=(low,), kernel=upsampled_kernel(kernel), bias=node.bias)
    convolved = replace(node, name=f"{node.name}_low", inputs=(low,), kernel=kernel)
    return step(_DOUBLING, convolved, name=name, width=width(node))


def _is_3x3_or_1x1(conv: Conv) -> bool:
    size = conv.kernel.shape[:2]
    plain = conv.strides == (1, 1) and conv.dilation == (1, 1)
    return plain and (size == (1, 1) or (size == (3, 3) and conv.padding == "same"))


def _concatenated(node: Node) -> tuple[Node, ...]:
    """Return the tensors that a node concatenates by their channels, or the node itself."""
    if isinstance(node, Step) and kind_of(node.layer) == "Concatenate":
        return node.inputs if node.layer.axis in (-1, 3) else (node,)
    return (node,)


def _is_doubling(node: Node) -> bool:
    if not isinstance(node, Step) or kind_of(node.layer) != "UpSampling2D":
        return False
    layer = node.layer
    return (
        tuple(layer.size) == (2, 2)
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
    )
