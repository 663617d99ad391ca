"""Shapes drawn on label maps, and thresholds below which pieces of a class are taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from amseg_keras._on_demand import needed

Point = tuple[float, float]
"""Row and column."""

EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one piece, as in `amseg_keras.quantify`."""

REGION_PX = 40
"""Pixels from a click to the border of the window in which `region` looks."""


def brush(shape: tuple[int, int], points: Sequence[Point], radius: float) -> np.ndarray:
    """Draw a stroke with a round brush.

    Args:
        shape: Height and width of the frame in pixels.
        points: Points that the middle of the brush passes; one point gives a disc.
        radius: Radius of the brush in pixels; 0.5 paints single pixels.

    Returns:
        Mask of the stroke; parts outside the frame are left out.

    Example:
        >>> brush((5, 7), [(2, 1), (2, 5)], radius=1).astype(int)
        array([[0, 0, 0, 0, 0, 0, 0],
               [0, 1, 1, 1, 1, 1, 0],
               [1, 1, 1, 1, 1, 1, 1],
               [0, 1, 1, 1, 1, 1, 0],
               [0, 0, 0, 0, 0, 0, 0]])
    """
    mask = np.zeros(shape, bool)
    ends = np.asarray(points, float).reshape(-1, 2)
    for first, last in zip(ends, ends[1:] if len(ends) > 1 else ends, strict=False):
        top, left = np.maximum(np.floor(np.minimum(first, last) - radius), 0).astype(int)
        bottom, right = np.ceil(np.maximum(first, last) + radius).astype(int) + 1
        rows, columns = np.ogrid[top : min(bottom, shape[0]), left : min(right, shape[1])]
        if not rows.size or not columns.size:
            continue
        along = last - first
        length = float(along @ along) or 1.0
        share = ((rows - first[0]) * along[0] + (columns - first[1]) * along[1]) / length
        share = np.clip(share, 0, 1)
        away = np.hypot(rows - first[0] - share * along[0], columns - first[1] - share * along[1])
        mask[top:bottom, left:right] |= away <= radius
    return mask


def polygon(shape: tuple[int, int], corners: Sequence[Point]) -> np.ndarray:
    """Fill a polygon.

    Args:
        shape: Height and width of the frame in pixels.
        corners: Corners in turn; the last is joined to the first.

    Returns:
        Mask of the pixels whose middle lies inside; parts outside the frame are left out.

    Raises:
        ValueError: There are fewer than three corners.

    Example:
        >>> polygon((4, 5), [(1, 1), (1, 3), (3, 1)]).astype(int)
        array([[0, 0, 0, 0, 0],
               [0, 1, 1, 1, 0],
               [0, 1, 1, 0, 0],
               [0, 1, 0, 0, 0]])
    """
    if len(corners) < 3:
        raise ValueError(f"a polygon has three corners at least, and {len(corners)} were given")
    mask = np.zeros(shape, bool)
    rows, columns = np.asarray(corners, float).T
    draw = needed("skimage.draw", "drawing a polygon")
    mask[draw.polygon(rows, columns, shape)] = True
    return mask


def piece(labels: np.ndarray, point: Point) -> np.ndarray:
    """Find the piece of one class that a point lies in.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        point: Row and column of a pixel of the piece.

    Returns:
        Mask of all pixels of this class that are connected to the point, also by corners.

    Raises:
        ValueError: The point is outside the frame.

    Example:
        >>> labels = np.array([[1, 0, 1], [1, 0, 1], [0, 0, 0]], np.uint8)
        >>> piece(labels, (0, 2)).astype(int)
        array([[0, 0, 1],
               [0, 0, 1],
               [0, 0, 0]])
    """
    row, column = inside(labels.shape, point)
    numbered, _ = ndimage.label(labels == labels[row, column], EIGHT)
    return np.asarray(numbered == numbered[row, column])


def region(frame: np.ndarray, point: Point, radius: int = REGION_PX) -> np.ndarray:
    """Find what stands out around a point of a frame: a pore or a keyhole that was missed.

    The region holds the connected pixels that are nearer in grey level to the point than to its
    surroundings. The grey level of the point is the mean of 3 x 3 pixels; that of the surroundings
    is the median at the border of the window.

    Args:
        frame: Grey levels `(height, width)`.
        point: Row and column of a pixel inside the pore or the keyhole.
        radius: Pixels from the point to the border of the window; nothing outside is taken.

    Returns:
        Mask of the region, without holes; a disc of radius 2 where nothing stands out.

    Raises:
        ValueError: The point is outside the frame.

    Example:
        >>> frame = np.full((30, 40), 100.0)
        >>> frame[10:16, 20:28] = 160
        >>> int(region(frame, (12, 22)).sum())
        48
    """
    row, column = inside(frame.shape, point)
    top, left = max(row - radius, 0), max(column - radius, 0)
    window = np.asarray(frame[top : row + radius + 1, left : column + radius + 1], np.float32)
    smooth = ndimage.uniform_filter(window, 3, mode="nearest")
    at = row - top, column - left
    border = np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])
    around, here = float(np.median(border)), float(smooth[at])
    nearer = np.abs(window - here) < np.abs(window - around)
    nearer[at] = True
    numbered, _ = ndimage.label(nearer)
    found = ndimage.binary_fill_holes(numbered == numbered[at])
    mask = np.zeros(frame.shape[:2], bool)
    mask[top : top + window.shape[0], left : left + window.shape[1]] = found
    # A region that fills the window is no thing: the click was on what is everywhere.
    noise = float(np.abs(border - around).mean())
    if abs(here - around) <= noise or found.mean() > 0.5:
        return brush(frame.shape[:2], [(row, column)], 2)
    return mask


def class_around(labels: np.ndarray, mask: np.ndarray) -> int:
    """Find the class that most of the pixels around a mask have.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        mask: Mask of the same shape.

    Returns:
        Class id; if the mask fills the frame, the class id of its own pixels.

    Example:
        >>> labels = np.array([[2, 2, 2], [2, 4, 2], [0, 0, 2]], np.uint8)
        >>> class_around(labels, labels == 4)
        2
    """
    ring = ndimage.binary_dilation(mask, EIGHT) & ~mask
    around = labels[ring] if ring.any() else labels[mask]
    return int(np.bincount(around).argmax())


def inside(shape: tuple[int, ...], point: Point) -> tuple[int, int]:
    """Round a point to its pixel.

    Args:
        shape: Height and width of the frame in pixels.

    Returns:
        Row and column of the pixel.

    Raises:
        ValueError: The point is outside the frame.

    Example:
        >>> inside((10, 20), (3.4, 7.6))
        (3, 8)
    """
    row, column = (round(float(value)) for value in point)
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise ValueError(
            f"row {row}, column {column} is outside the frame of {shape[0]} x {shape[1]} pixels"
        )
    return row, column


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
        self, labels: np.ndarray, class_names: Sequence[str], confidence: np.ndarray | None = None
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
