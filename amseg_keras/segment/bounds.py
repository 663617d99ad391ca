"""Find label maps between which the truth lies: the least and the most that is likely.

Lengths and areas that are measured on both maps of a frame are the ends of a 90 % interval: the
smaller map holds the pixels of keyhole, pore and melt pool that have a probability of at least
95 %, the larger one those of at least 5 %. Pixels along an edge are right or wrong together, so
that these are the 5 % and 95 % quantiles of an area, and not only of a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from amseg_keras.applicability import tempered
from amseg_keras.classes import MELT_POOL
from amseg_keras.preprocess import Inputs
from amseg_keras.preprocess.inputs import labels_of_shape
from amseg_keras.preprocess.lazy import spread
from amseg_keras.quantify.geometry.surface import at_grey_edge, substrate_surface
from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.read import ReadError
from amseg_keras.segment.tiling import TILE_PIXELS

LEVEL = 0.9
"""Probability that the truth lies between the ends of an interval."""

SHIFTS = ((3, 7), (8, 5))
"""Pixels, down and right, by which a frame is moved to see what depends on the poolings."""

LARGEST_BOUNDED = 1 << 23
"""Pixels of the largest frames that get bounds: their probabilities take too much memory."""

VOIDS = ("keyhole", "pore")
METALS = ("substrate", MELT_POOL)

_ONE_IN = 16
"""One frame in this number gets bounds, so that short recordings stay fast."""

MOST_FRAMES = 8
"""Frames of a recording that are looked at."""


def bounded_frames(count: int) -> tuple[int, ...]:
    """Choose the frames of a recording that get bounds: up to eight, evenly spread.

    Example:
        >>> bounded_frames(1), bounded_frames(25), len(bounded_frames(5000))
        ((0,), (0, 24), 8)
    """
    return tuple(spread(count, min(MOST_FRAMES, -(-count // _ONE_IN))))


def find_bounds(
    inputs: Inputs,
    probabilities: Callable[[np.ndarray], np.ndarray],
    class_names: Sequence[str],
    temperature: float,
    labels: Mapping[int, np.ndarray | None],
    factors: Mapping[str, float] = MappingProxyType({}),
) -> dict[int, FrameBounds]:
    """Find the bounds of some frames; empty for large frames and networks without keyhole and pore.

    Args:
        inputs: Inputs of the network for the recording.
        probabilities: The network, from `(batch, height, width, channels)` to probabilities of the
            classes.
        class_names: Name of each class id.
        temperature: Temperature at which its probabilities mean what they say.
        labels: Class ids of the frames, uint8 `(height, width)`, by their numbers; those that
            cannot be read are left out.
        factors: Factor on the interval of each quantity, as the preset was calibrated.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> stack = np.random.default_rng(0).integers(0, 255, (3, 64, 96), np.uint8)
        >>> inputs = segmenter.inputs(stack)
        >>> labels = {1: segmenter.segment(stack).labels[1]}
        >>> found = find_bounds(inputs, segmenter.probabilities, segmenter.class_names, 1.0, labels)
        >>> list(found), found[1].least.shape
        ([1], (64, 96))
    """
    if math.prod(inputs.frame_shape) > LARGEST_BOUNDED or not set(VOIDS) & set(class_names):
        return {}
    shape = inputs.frames.shape[1], inputs.frames.shape[2]
    found = {}
    for index, own in labels.items():
        try:
            frame, background = inputs.read(index)
        except ReadError:
            continue
        if own is None:
            continue
        made = inputs.make_of(frame, background)
        of_frame = _mean_probabilities(made, probabilities, temperature)
        least, most = (
            labels_of_shape(labels_at(of_frame, class_names, limit), shape)
            for limit in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
        )
        pixels = np.bincount(own.ravel(), minlength=len(class_names))[: len(class_names)]
        edge = _edge(frame, own, class_names)
        found[index] = FrameBounds(least, most, edge, tuple(pixels.tolist()), factors)
    return found


def labels_at(probabilities: np.ndarray, class_names: Sequence[str], limit: float) -> np.ndarray:
    """Label the pixels whose probability of keyhole, pore, melt pool or metal reaches a limit.

    Args:
        probabilities: Probabilities of the classes, float `(height, width, classes)`.
        class_names: Name of each class id.
        limit: Least probability of a void; of liquid, if the pixel is metal; and of metal, towards
            gas and powder.

    Returns:
        Class ids, uint8 `(height, width)`. A pixel that no void reaches is of the likeliest other
        class.

    Example:
        >>> sure = np.array([[[0.2, 0.8], [0.97, 0.03], [0.9, 0.1]]])
        >>> labels_at(sure, ("substrate", "pore"), 0.95).tolist()
        [[0, 0, 0]]
        >>> labels_at(sure, ("substrate", "pore"), 0.05).tolist()
        [[1, 0, 1]]
    """
    voids = [number for number, name in enumerate(class_names) if name in VOIDS]
    metals = [number for number, name in enumerate(class_names) if name in METALS]
    others = [number for number in range(len(class_names)) if number not in (*voids, *metals)]
    labels = _likeliest(probabilities, others or metals)
    if metals and others:
        of_metal = probabilities[..., metals].sum(axis=-1)
        rest = of_metal + probabilities[..., others].sum(axis=-1)
        is_metal = of_metal >= limit * np.maximum(rest, 1e-9)
        metal = _likeliest(probabilities, metals)
        if len(metals) > 1:
            liquid = list(class_names).index(MELT_POOL)
            is_liquid = probabilities[..., liquid] >= limit * np.maximum(of_metal, 1e-9)
            solid = _likeliest(probabilities, [one for one in metals if one != liquid])
            metal = np.where(is_liquid, np.uint8(liquid), solid)
        labels = np.where(is_metal, metal, labels)
    if voids:
        is_void = probabilities[..., voids].max(axis=-1) >= limit
        labels = np.where(is_void, _likeliest(probabilities, voids), labels)
    return labels


def _likeliest(probabilities: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Return the likeliest of some of the classes, uint8."""
    likeliest: np.ndarray = np.array(classes, np.uint8)[probabilities[..., classes].argmax(axis=-1)]
    return likeliest


def _edge(
    frame: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> tuple[float, float] | None:
    """Return slope and offset from the surface of the labels to the step of the grey levels."""
    surface = substrate_surface(labels, class_names)
    edge = None if surface is None else at_grey_edge(surface, frame, labels, class_names)
    if surface is None or edge is None:
        return None
    return edge.slope - surface.slope, edge.offset - surface.offset


def _mean_probabilities(
    made: np.ndarray, probabilities: Callable[[np.ndarray], np.ndarray], temperature: float
) -> np.ndarray:
    """Average over the frame and the frame moved by a few pixels."""
    height, width = made.shape[:2]
    # The moved frames keep the size: engines are made ready for one size.
    given = [made] + [
        np.pad(made, ((down, 0), (right, 0), (0, 0)), mode="symmetric")[:height, :width]
        for down, right in SHIFTS
    ]
    if height * width <= TILE_PIXELS:
        # Together, so that an engine need not be made ready for frames that come alone.
        found = list(probabilities(np.stack(given)))
    else:
        found = [probabilities(one[None])[0] for one in given]
    total = tempered(found[0], temperature)
    for (down, right), one in zip(SHIFTS, found[1:], strict=True):
        # The rows and columns that left the frame repeat the last ones that stayed.
        stayed = tempered(one, temperature)[down:, right:]
        total = total + np.pad(stayed, ((0, down), (0, right), (0, 0)), mode="edge")
    return total / np.float32(1 + len(SHIFTS))
