"""The network in 8-bit integers, with the ranges of real frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from amseg_keras.engines.graph import Output, onnx_model
from amseg_keras.engines.graph.quantise import quantisable, quantised
from amseg_keras.engines.need import need
from amseg_keras.engines.rewritten import Rewritten

_BLOCK = (512, 1024)
"""All tensors of a block are in memory at once."""

_OUTLIERS = 1e-5
"""Share of the values of a block, at either end, that may lie beyond the range."""

Ranges = dict[str, tuple[float, float]]
"""Lowest and highest value of each tensor that becomes integers."""


def ranges_of(rewritten: Rewritten, frames: np.ndarray) -> Ranges:
    """What the tensors inside the network reach on some frames.

    Args:
        rewritten: the network.
        frames: float32 `(frames, height, width, channels)`, sides multiples of 16.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """
    nodes = rewritten.nodes("labels")
    names = quantisable(nodes)
    core = need("openvino").Core()
    model = core.read_model(bytes(onnx_model(nodes, list(names)).SerializeToString()))
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
    return bytes(onnx_model(nodes, [output], classes=rewritten.classes).SerializeToString())
