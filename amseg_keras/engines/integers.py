"""The network in 8-bit integers, as far as it still finds the same.

Weights have a scale for each output channel. The input of a convolution has one scale, which is
measured on frames. The pairs of quantisation and back that are written into the graph are those
that OpenVINO and ONNX Runtime fuse into integer convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from amseg_keras.engines.engine import equal_fraction, lost_iou, need
from amseg_keras.engines.graph import Output, Rewritten
from amseg_keras.engines.nodes import Nodes
from amseg_keras.engines.onnx_file import onnx_file
from amseg_keras.engines.runners import OpenVINOEngine

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


_BLOCK = (512, 1024)
"""All tensors of a block are in memory at once."""

_OUTLIERS = 1e-5
"""Share of the values of a block, at either end, that may lie beyond the range."""

Ranges = dict[str, tuple[float, float]]
"""Lowest and highest value of each tensor that becomes integers."""


def ranges_of(rewritten: Rewritten, frames: np.ndarray) -> Ranges:
    """Ranges that the tensors inside the network reach on some frames.

    Args:
        rewritten: the network.
        frames: float32 `(frames, height, width, channels)`, sides multiples of 16.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """
    nodes = rewritten.nodes("labels")
    names = quantisable(nodes)
    core = need("openvino").Core()
    model = core.read_model(onnx_file(nodes, list(names)))
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ranges = {name: (0.0, 0.0) for name in names}
    for block in _blocks(frames):
        found = compiled(block)
        for name in names:
            low, high = np.quantile(found[name], [_OUTLIERS, 1 - _OUTLIERS])
            ranges[name] = min(ranges[name][0], float(low)), max(ranges[name][1], float(high))
    return ranges


def _blocks(frames: np.ndarray) -> Iterator[np.ndarray]:
    for frame in frames:
        for top in range(0, frame.shape[0], _BLOCK[0]):
            for left in range(0, frame.shape[1], _BLOCK[1]):
                block = frame[None, top : top + _BLOCK[0], left : left + _BLOCK[1]]
                yield np.ascontiguousarray(block)


def quantised_onnx(rewritten: Rewritten, ranges: Ranges, output: Output) -> bytes:
    """The network as an ONNX file with integer convolutions."""
    nodes = quantised(rewritten.nodes(output), ranges)
    return onnx_file(nodes, [output], classes=rewritten.classes)


_IN_FLOAT32 = 0.5
"""Share of the convolutions that may stay in float32; with more, integers save little."""

_COMPARED_FRAMES = 4
"""That are enough to tell which convolutions lose more than others."""


@dataclass(frozen=True)
class Integers:
    """A network with integer convolutions.

    Attributes:
        engine: ready to run.
        lost: mean IoU that it loses, where the labels of float32 are taken for the truth.
        equal_labels: share of the labels that are those of float32.
        in_float32: convolutions, of those that could be integers, that are not.
    """

    engine: OpenVINOEngine
    lost: float
    equal_labels: float
    in_float32: int


def integers(
    rewritten: Rewritten, frames: np.ndarray, reference: np.ndarray, allowed: float
) -> Integers:
    """The network with as many integer convolutions as lose less than is allowed.

    If all of them lose too much, those stay in float32 that lose most when they alone are
    integers, as few as are enough, up to half of them.

    Args:
        rewritten: the network.
        frames: float32 `(frames, height, width, channels)`, sides multiples of 16.
        reference: their labels in float32.
        allowed: mean IoU.

    Returns:
        That network; where half of the convolutions in float32 are not enough, the one with them.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """
    ranges = ranges_of(rewritten, frames)

    def with_integers(kept: Ranges, some: slice = slice(None)) -> Integers:
        engine = OpenVINOEngine(
            "openvino-int8", lambda output: quantised_onnx(rewritten, kept, output), "int8"
        )
        labels = engine.labels(frames[some])
        lost = lost_iou(labels, reference[some], rewritten.classes)
        equal = equal_fraction(labels, reference[some])
        return Integers(engine, lost, equal, len(ranges) - len(kept))

    best = with_integers(ranges)
    if best.lost < allowed:
        return best
    some = slice(None, None, -(-len(frames) // _COMPARED_FRAMES))
    alone = {name: with_integers({name: given}, some).lost for name, given in ranges.items()}
    order = sorted(alone, key=alone.__getitem__)
    too_few, enough = 0, int(len(order) * _IN_FLOAT32)
    best = with_integers({name: ranges[name] for name in order[: len(order) - enough]})
    while best.lost < allowed and enough - too_few > 1:
        between = (too_few + enough) // 2
        tried = with_integers({name: ranges[name] for name in order[: len(order) - between]})
        if tried.lost < allowed:
            best, enough = tried, between
        else:
            too_few = between
    return best
