"""Drift of the specimen: by how much it moves on the detector during a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from amseg_keras.preprocess.lazy import spread
from amseg_keras.preprocess.registration import SMALLEST_SIDE, find_shift

COMPARED = 9
"""Frames that are compared with the middle one."""

LARGEST_SIDE = 512
"""Of larger frames the middle part is compared."""

NOTED_PX = 0.5
"""A drift from here on leaves bright and dark rims on what stands still in the specimen."""


@dataclass(frozen=True)
class Drift:
    """How far frames of a recording are shifted against one of them.

    Attributes:
        reference: Number of the frame that the others are compared with.
        largest_px: Largest shift in pixels; `None` where no frame is alike enough to tell.

    Example:
        >>> plate = np.random.default_rng(0).normal(100, 9, (64, 96))
        >>> frames = {number: np.roll(plate, number // 10, axis=0) for number in range(0, 31, 10)}
        >>> find_drift(frames)
        Drift(reference=20, largest_px=2.0)
    """

    reference: int
    largest_px: float | None

    @property
    def note(self) -> str | None:
        """What a reader of the labels must know, if anything."""
        if self.largest_px is None or self.largest_px < NOTED_PX:
            return None
        return (
            f"the specimen drifts by up to {self.largest_px:.1f} px against frame "
            f"{self.reference}: what stands still gets bright and dark rims in the motion channel; "
            "register the frames of the background (for example recording+register)"
        )


def find_drift(frames: Mapping[int, np.ndarray]) -> Drift | None:
    """Estimate the drift from a few frames of a recording; see `find_shift`.

    Args:
        frames: Frames `(height, width)` by their numbers; at most 9 of them are compared.

    Returns:
        The drift; `None` for fewer than two frames, or frames with a side under 16 pixels.
    """
    numbers = sorted(frames)
    if len(numbers) < 2 or min(frames[numbers[0]].shape) < SMALLEST_SIDE:
        return None
    reference = numbers[len(numbers) // 2]
    middle = _middle_part(frames[reference])
    found = []
    for place in spread(len(numbers), COMPARED):
        if numbers[place] != reference:
            down, right = find_shift(_middle_part(frames[numbers[place]]), middle)
            if not math.isnan(down):
                found.append(math.hypot(down, right))
    return Drift(reference, round(max(found), 2) if found else None)


def _middle_part(frame: np.ndarray) -> np.ndarray:
    tops = [max(side - LARGEST_SIDE, 0) // 2 for side in frame.shape]
    return frame[tops[0] : tops[0] + LARGEST_SIDE, tops[1] : tops[1] + LARGEST_SIDE]
