"""Draw chosen frames with their labels as a strip over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from amseg_keras.preprocess import GreyRange
from amseg_keras.read import Frames, ReadError
from amseg_keras.report.overlay import overlay, with_boundary

COUNT = 6
"""Frames of a strip: as many as fit beside each other in a column of text."""

_LEAST_SIDE = 64
"""Smallest side of a window in pixels, to show the surroundings of the keyhole."""

_DEPTHS = 2.0
"""Height of a window in depths of the deepest keyhole or pore."""

_ABOVE = 0.25
"""Fraction of a window above the surface."""


@dataclass(frozen=True)
class StripPicture:
    """One frame of a strip.

    Attributes:
        frame: Number of the frame, from 0.
        picture: Frame with its labels, uint8 `(height, width, 3)`.
    """

    frame: int
    picture: np.ndarray


@dataclass(frozen=True)
class Window:
    """A part of every frame, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Cut this part out of a picture `(height, width, ...)`."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


def strip_frames(
    readable: Sequence[int] | np.ndarray, frames: int, count: int = COUNT
) -> list[int]:
    """Choose frames in the middle of equal parts of the recording; return rising numbers.

    Example:
        >>> strip_frames(range(60), 60)
        [4, 14, 24, 34, 44, 54]
        >>> strip_frames([0, 1, 9], 10), strip_frames([], 10)
        ([0, 1, 9], [])
    """
    present = np.asarray(readable, int)
    if not len(present):
        return []
    count = min(count, frames)
    wanted = (np.arange(count) + 0.5) * frames / count - 0.5
    nearest = np.abs(present[:, None] - np.floor(wanted)).argmin(axis=0)
    return list(map(int, np.unique(present[nearest])))


def draw_strip(
    pictures: Pictures, labels: Iterable[np.ndarray], chosen: Sequence[int]
) -> list[StripPicture]:
    """Draw the chosen frames with their labels.

    Args:
        labels: Label map of every frame in turn; other frames are skipped.
    """
    wanted = set(chosen)
    strip = []
    for index, label_map in enumerate(labels):
        if index in wanted:
            strip.append(StripPicture(index, pictures.labelled(index, label_map)))
        if len(strip) == len(wanted):
            break
    return strip


def windows_around_keyhole(
    frames: pd.DataFrame, chosen: Sequence[int], shape: tuple[int, int]
) -> list[Window]:
    """Choose the part of each frame that shows the keyhole, all of one size.

    A window follows the keyhole along the surface, which is always at the same height in the
    window. A frame without a keyhole gets the window of the nearest frame with one.

    Args:
        frames: Row for each readable frame, with the columns `frame`, `surface_slope`,
            `surface_y_px`, `keyhole_depth_px`, `keyhole_x_px`, `keyhole_tip_x_px`.

    Returns:
        A window for each frame; the whole frame without any keyhole below a surface.
    """
    height, width = shape
    table = frames.set_index("frame")
    shown = table[(table["keyhole_depth_px"] > 0) & table["surface_y_px"].notna()]
    if shown.empty:
        return [Window(0, 0, height, width)] * len(chosen)
    side = max(_LEAST_SIDE, round(_DEPTHS * float(shown["keyhole_depth_px"].max())))
    high, wide = min(side, height), min(side, width)
    windows = []
    for frame in chosen:
        near = shown.iloc[int(np.abs(shown.index - frame).argmin())]
        # Both the aperture and a tip that trails far behind must be seen.
        x = float(near["keyhole_x_px"] + near["keyhole_tip_x_px"]) / 2
        surface = float(near["surface_y_px"] + near["surface_slope"] * (x - (width - 1) / 2))
        left = int(np.clip(round(x - wide / 2), 0, width - wide))
        top = int(np.clip(round(surface - _ABOVE * high), 0, height - high))
        windows.append(Window(top, left, high, wide))
    return windows


_NO_FRAME = 255
"""Grey level of a missing frame: white, so that the colours equal the legend."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of frames, as recorded and with labels.

    Attributes:
        frames: Recording, or None.
        class_names: Name of each class id.
        grey_range: Grey levels that are shown black and white.

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
        """Read the grey levels of a frame `(height, width)`; None if that fails."""
        if self.frames is None:
            return None
        try:
            return self.frames[index]
        except ReadError:
            return None

    def pair(self, index: int, labels: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Draw a frame as recorded, None if unreadable, and with its labels.

        Args:
            labels: Class ids, uint8 `(height, width)`; 255 shows the bare frame.

        Returns:
            Red, green, blue, uint8 `(height, width, 3)` each, with the boundary of a melt pool.
        """
        grey = self.frame(index)
        if grey is None:
            white = np.full(labels.shape, _NO_FRAME)
            return None, overlay(
                white, labels, self.class_names, GreyRange(0, _NO_FRAME, 255), opacity=1.0
            )
        level = self.grey_range.apply(grey) * (255 / self.grey_range.top)
        raw = np.repeat(level.round().astype(np.uint8)[..., None], 3, axis=-1)
        labelled = overlay(grey, labels, self.class_names, self.grey_range)
        return raw, with_boundary(labelled, labels, self.class_names)

    def labelled(self, index: int, labels: np.ndarray) -> np.ndarray:
        """Draw a frame with its labels; an unreadable frame is white."""
        return self.pair(index, labels)[1]
