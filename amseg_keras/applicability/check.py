"""Look at a labelled recording, a few frames of it, and say what is foreign there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from amseg_keras.applicability.judge import MOST_FRAMES, ApplicabilityWarning, judge
from amseg_keras.applicability.knowledge import Knowledge
from amseg_keras.applicability.signs import change, measure_signs, of_scaled
from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import GreyRange
from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import Frames, ReadError

_ONE_IN = 16
"""Frames of which one is looked at, so that short recordings are not slowed down."""


def looked_at(frames: int) -> tuple[int, ...]:
    """Choose the frames of a recording that are looked at: up to eight, evenly spread.

    Example:
        >>> looked_at(1), looked_at(25), len(looked_at(5000))
        ((0,), (0, 24), 8)
    """
    return tuple(spread(frames, min(MOST_FRAMES, -(-frames // _ONE_IN))))


def check_recording(
    frames: Frames,
    labels_of: Callable[[int], np.ndarray | None],
    class_names: Sequence[str],
    levels: GreyRange,
    known: Knowledge | None,
    pixel_size_um: float | None = None,
    scale: float = 1.0,
    background_of: Callable[[int], np.ndarray | None] | None = None,
) -> tuple[ApplicabilityWarning, ...]:
    """Say whether a recording looks like what a preset knows.

    Args:
        frames: Recording, `(frames, height, width)`.
        labels_of: Gives the class ids of a frame, uint8 `(height, width)`, or None.
        class_names: Name of each class id.
        levels: Grey levels of the recording that become the ends of the network's input.
        known: Statistics of the preset; None if the preset has none.
        pixel_size_um: Pixel size of the frames in um; None if it is not known.
        scale: Factor by which frames are enlarged for the network.
        background_of: Gives the background of a frame, `(height, width)`, or None; by default
            motion is not looked at.

    Returns:
        Warnings; none for a familiar recording, or if the preset knows nothing.

    Example:
        >>> grey = np.full((1, 64, 64), 7, np.uint8)
        >>> labels = np.zeros((64, 64), np.uint8)
        >>> (found,) = check_recording(grey, lambda n: labels, ["gas"], GreyRange(7, 7, 1), None)
        >>> found.sign
        'no_contrast'
    """
    size = None if pixel_size_um is None else pixel_size_um / scale
    signs = signs_of(frames, labels_of, class_names, levels, scale, background_of)
    return judge(signs, known, has_contrast=levels.high > levels.low, pixel_size_um=size)


def signs_of(
    frames: Frames,
    labels_of: Callable[[int], np.ndarray | None],
    class_names: Sequence[str],
    levels: GreyRange,
    scale: float = 1.0,
    background_of: Callable[[int], np.ndarray | None] | None = None,
) -> dict[int, dict[str, float]]:
    """Measure the signs of the frames of a recording that are looked at.

    Args:
        frames: As in `check_recording`, and so are the others.
        labels_of: Gives the class ids of a frame.
        class_names: Name of each class id.
        levels: Grey levels of the recording that become the ends of the network's input.
        scale: Factor by which frames are enlarged for the network.
        background_of: Gives the background of a frame.

    Returns:
        Signs by the number of the frame; empty ones where the recording has no contrast, and no
        entry for frames that cannot be read.

    Example:
        >>> grey = np.full((1, 64, 64), 7, np.uint8)
        >>> labels = np.zeros((64, 64), np.uint8)
        >>> signs_of(grey, lambda n: labels, ["gas"], GreyRange(7, 7, 1))
        {0: {}}
    """
    signs: dict[int, dict[str, float]] = {}
    for index in looked_at(len(frames)):
        try:
            frame, labels = np.asarray(frames[index]), labels_of(index)
        except ReadError:
            continue
        if labels is None or (labels == IGNORE).all():
            continue
        if levels.high <= levels.low:
            signs[index] = {}
            continue
        moved = change(frame, None if background_of is None else background_of(index))
        found = measure_signs(frame, labels, class_names, levels, moved)
        signs[index] = of_scaled(found, scale)
    return signs
