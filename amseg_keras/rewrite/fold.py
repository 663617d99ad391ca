"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

from dataclasses import replace

from amseg_keras.rewrite.graph import Affine, Conv, Node


def fold_norm(node: Node, alone: tuple[bool, ...]) -> Node:
    """A rule for `Graph.changed`: the convolution that a norm and the one before it are together.

    A norm after something else stays what it is, and so does one whose convolution another layer
    reads as well. It cannot move into what follows: a shift before zero padding is wrong at the
    borders.
    """
    match node:
        case Affine(inputs=(Conv() as conv,)) if alone[0]:
            bias = node.shift if conv.bias is None else conv.bias * node.scale + node.shift
            return replace(conv, name=node.name, kernel=conv.kernel * node.scale, bias=bias)
    return node
