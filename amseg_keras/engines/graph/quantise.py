"""The graph with its convolutions in 8-bit integers.

Weights have a scale for each output channel, what a convolution takes has one scale for all. Scales
of the latter come from frames. The pairs of quantisation and back that are written here are those
that OpenVINO and ONNX Runtime fuse into integer convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from amseg_keras.engines.graph.nodes import Nodes

_OUTPUT_CHANNEL = {"Conv": 0, "ConvTranspose": 1}


def quantisable(nodes: Nodes) -> tuple[str, ...]:
    """Names of what the convolutions that become integers take, of the frames themselves not."""
    taken = [
        node.inputs[0]
        for node in nodes.all
        if node.kind in _OUTPUT_CHANNEL and node is not _first(nodes) and node is not _last(nodes)
    ]
    return tuple(dict.fromkeys(taken))


def quantised(nodes: Nodes, ranges: Mapping[str, tuple[float, float]]) -> Nodes:
    """A copy of the graph with integer convolutions.

    Args:
        nodes: the graph in float32.
        ranges: lowest and highest value to represent of each tensor of `quantisable`.
    """
    made = Nodes(nodes.channels, arrays=dict(nodes.arrays))
    rounded: dict[str, str] = {}
    for node in nodes.all:
        inputs = list(node.inputs)
        if (
            node.kind in _OUTPUT_CHANNEL
            and inputs[0] in ranges
            and node not in (_first(nodes), _last(nodes))
        ):
            inputs[1] = _rounded_kernel(made, inputs[1], _OUTPUT_CHANNEL[node.kind])
            if inputs[0] not in rounded:
                rounded[inputs[0]] = _rounded(made, inputs[0], *ranges[inputs[0]])
            inputs[0] = rounded[inputs[0]]
        made.add(node.kind, inputs, output=node.output, **node.options)
    return made


def _rounded(nodes: Nodes, name: str, low: float, high: float) -> str:
    """Through 8 bits and back: unsigned where nothing is negative, else the same on both sides."""
    scale, zero = (
        (high / 255, np.zeros((), np.uint8))
        if low >= 0
        else (max(-low, high) / 127, np.zeros((), np.int8))
    )
    given = (
        nodes.array(np.array(scale or 1.0, np.float32), f"{name}_scale"),
        nodes.array(zero, f"{name}_zero"),
    )
    integers = nodes.add("QuantizeLinear", [name, *given], output=f"{name}_8bit")
    return nodes.add("DequantizeLinear", [integers, *given], output=f"{name}_rounded")


def _rounded_kernel(nodes: Nodes, name: str, axis: int) -> str:
    kernel = nodes.arrays.pop(name)
    others = tuple(index for index in range(kernel.ndim) if index != axis)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    given = (
        nodes.array(np.rint(kernel / scale).astype(np.int8), f"{name}_8bit"),
        nodes.array(scale.ravel(), f"{name}_scale"),
        nodes.array(np.zeros(scale.size, np.int8), f"{name}_zero"),
    )
    return nodes.add("DequantizeLinear", given, axis=axis, output=f"{name}_rounded")


def _first(nodes: Nodes) -> object:
    return next(node for node in nodes.all if node.kind in _OUTPUT_CHANNEL)


def _last(nodes: Nodes) -> object:
    return next(node for node in reversed(nodes.all) if node.kind in _OUTPUT_CHANNEL)
