"""Frames of an experiment as pictures, with their labels or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amseg_keras.preprocess import GreyRange
from amseg_keras.read import Frames, ReadError
from amseg_keras.report.overlay import overlay

_NO_FRAME = 255
"""Grey level of a frame that is not there: white, so that the colours are those of the legend."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Draws frames as they were recorded and as they were labelled.

    Attributes:
        frames: The recording; None if it is not at hand.
        class_names: Name of each class id.
        grey_range: The grey levels shown black and white.

    Example:
        >>> pictures = Pictures(None, ["background", "pore"], GreyRange(0, 1, 255))
        >>> pictures.labelled(0, np.ones((1, 2), np.uint8))
        array([[[214,  39,  40],
                [214,  39,  40]]], dtype=uint8)
    """

    frames: Frames | None
    class_names: Sequence[str]
    grey_range: GreyRange

    def frame(self, index: int) -> np.ndarray | None:
        """Grey levels of a frame `(height, width)`; None if it is not at hand."""
        if self.frames is None:
            return None
        try:
            return self.frames[index]
        except ReadError:
            return None

    def pair(self, index: int, labels: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """A frame as it was recorded, None if it is not at hand, and with its labels over it.

        Args:
            index: Of the frame.
            labels: Its class ids, uint8 `(height, width)`; 255 shows the bare frame.

        Returns:
            Red, green, blue, uint8 `(height, width, 3)` each.
        """
        grey = self.frame(index)
        if grey is None:
            white = np.full(labels.shape, _NO_FRAME)
            return None, overlay(
                white, labels, self.class_names, GreyRange(0, _NO_FRAME, 255), opacity=1.0
            )
        level = self.grey_range.apply(grey) * (255 / self.grey_range.top)
        raw = np.repeat(level.round().astype(np.uint8)[..., None], 3, axis=-1)
        return raw, overlay(grey, labels, self.class_names, self.grey_range)

    def labelled(self, index: int, labels: np.ndarray) -> np.ndarray:
        """A frame with its labels over it; the colours alone where the frame is not at hand."""
        return self.pair(index, labels)[1]
