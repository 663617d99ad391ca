"""Which convolutions can be in 8-bit integers, so that the network still finds the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.engines.agreement import equal_fraction, lost_iou
from amseg_keras.engines.calibrate import Ranges, quantised_onnx, ranges_of
from amseg_keras.engines.rewritten import Rewritten
from amseg_keras.engines.runners.openvino_engine import OpenVINOEngine

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
