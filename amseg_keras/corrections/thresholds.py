"""Thresholds on the pieces of a label map: too small or too uncertain pieces are taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from amseg_keras.corrections.shapes import EIGHT, class_around


@dataclass(frozen=True)
class Thresholds:
    """Smallest size and confidence of a piece; a lesser piece becomes part of its surroundings.

    Attributes:
        smallest_px: Smallest area of a piece in pixels; 0 keeps all.
        least_confidence: Smallest mean confidence of the pixels of a piece, 0 to 1; 0 keeps all.
        classes: Names of the classes whose pieces are looked at.

    Raises:
        ValueError: A threshold is out of its range.

    Example:
        >>> Thresholds(smallest_px=12).is_off, Thresholds().is_off
        (False, True)
    """

    smallest_px: float = 0.0
    least_confidence: float = 0.0
    classes: tuple[str, ...] = ("keyhole", "pore")

    def __post_init__(self) -> None:
        if not (math.isfinite(self.smallest_px) and self.smallest_px >= 0):
            raise ValueError(f"smallest_px is {self.smallest_px}, it must be 0 or more")
        if not 0 <= self.least_confidence <= 1:
            raise ValueError(f"least_confidence is {self.least_confidence}, it must be from 0 to 1")

    @property
    def is_off(self) -> bool:
        """Whether all pieces are kept."""
        return self.smallest_px <= 1 and self.least_confidence == 0

    def apply(
        self,
        labels: np.ndarray,
        class_names: Sequence[str],
        confidence: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take the pieces below the thresholds out of a label map.

        Args:
            labels: Class ids, uint8 `(height, width)`.
            class_names: Name of each class id.
            confidence: Probability of the chosen class, `(height, width)`; needed for
                `least_confidence`.

        Returns:
            New label map: a piece that was taken out has the class of most pixels around it.

        Raises:
            ValueError: `least_confidence` is above 0 and there is no confidence.

        Example:
            >>> labels = np.zeros((6, 9), np.uint8)
            >>> labels[1, 1] = labels[3:5, 5:8] = 1
            >>> Thresholds(smallest_px=3).apply(labels, ("substrate", "pore"))[1, 1]
            np.uint8(0)
        """
        if self.least_confidence > 0 and confidence is None:
            raise ValueError("a least confidence needs the confidence of the label map")
        kept = np.array(labels, np.uint8)
        for number, name in enumerate(class_names):
            if name not in self.classes:
                continue
            pieces, count = ndimage.label(kept == number, EIGHT)
            if not count:
                continue
            area = np.bincount(pieces.ravel(), minlength=count + 1)
            low = area < self.smallest_px
            if confidence is not None and self.least_confidence > 0:
                total = np.bincount(pieces.ravel(), confidence.ravel(), count + 1)
                low |= total / np.maximum(area, 1) < self.least_confidence
            low[0] = False
            for piece in np.flatnonzero(low):
                mask = pieces == piece
                kept[mask] = class_around(kept, mask)
        return kept
