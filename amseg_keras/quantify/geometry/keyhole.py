"""Size, shape and place of the keyhole in a frame, and which way it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

from amseg_keras.quantify.classes import SMALLEST_PX, mask_of
from amseg_keras.quantify.geometry.surface import Surface, robust_line

if TYPE_CHECKING:
    import pandas as pd

_GAP_PX = 10
"""Largest gap between pieces of a keyhole in pixels, because networks miss narrow necks."""

_AT_SURFACE_PX = 3
"""Largest depth in pixels at which an open keyhole may begin, because plates are rough."""

_WALL = (0.2, 0.8)
"""Part of the depth over which the front wall is taken: aperture and tip are rounded."""

_LEAST_WALL_ROWS = 4


class Keyhole(NamedTuple):
    """The keyhole of a frame; see `measure_keyhole`.

    Without a keyhole, area, depth, width and aperture are 0 and the rest is NaN. Without a
    surface, only the area and `x_px` are known.

    Attributes:
        area_px: Area in pixels.
        depth_px: Depth of the tip below the surface.
        width_px: Largest width below the surface.
        aperture_px: Width at the surface; 0 where the keyhole does not reach it.
        aspect_ratio: Depth / width.
        left_wall_angle_deg: Front-wall angle if the scan goes to the left.
        right_wall_angle_deg: Front-wall angle if the scan goes to the right.
        x_px: Column of the middle of the aperture, or else of the keyhole's centre.
        tip_x_px: Column of the tip.
        tip_y_px: Row of the tip.

    Example:
        >>> labels = np.full((40, 40), 1, np.uint8)
        >>> labels[:10] = 0
        >>> labels[10:30, 16:24] = 2
        >>> names = ["background", "substrate", "keyhole"]
        >>> keyhole = measure_keyhole(labels, names, Surface(slope=0.0, offset=9.5))
        >>> keyhole.depth_px, keyhole.aperture_px, keyhole.tip_y_px
        (20.0, 8.0, 29.5)
        >>> Keyhole()._asdict()["area_px"]  # of a frame without one
        0
    """

    area_px: int = 0
    depth_px: float = 0.0
    width_px: float = 0.0
    aperture_px: float = 0.0
    aspect_ratio: float = math.nan
    left_wall_angle_deg: float = math.nan
    right_wall_angle_deg: float = math.nan
    x_px: float = math.nan
    tip_x_px: float = math.nan
    tip_y_px: float = math.nan

    def front_wall_angle_deg(self, scan_direction: int | None) -> float:
        """Return the angle of the front wall in degrees.

        Args:
            scan_direction: +1 to the right, -1 to the left; None, not known, gives NaN.
        """
        if scan_direction is None:
            return math.nan
        return self.right_wall_angle_deg if scan_direction > 0 else self.left_wall_angle_deg


def measure_keyhole(
    labels: np.ndarray,
    class_names: Sequence[str],
    surface: Surface | None,
    smallest_px: float = SMALLEST_PX,
) -> Keyhole:
    r"""Measure the keyhole of one frame, along the surface and perpendicular to it.

                              scan direction -->
                     |<----- aperture ----->|
        _____________.                      ._____________  surface  -----
                      \              angle (/                          ^
                       \                   /                           |
                        |<---- width ---->/                          depth
             rear wall /                 /  front wall                 |
                      (                 /                              |
                       \_______________/  . . . . . . . . . . . . .  --v--
                              tip

    - **The keyhole** is the largest 8-connected piece of that class, and those within 10 px of
      its bounding box: a keyhole that a network has broken up. Pieces of fewer than `smallest_px`
      pixels, and those farther away, are taken for errors and count nowhere.
    - **Area**: number of its pixels; also of those above the surface, in a melt hump.
    - **Depth**: distance of the lowest pixel's lower edge from the surface, perpendicular to it.
      The **tip** is that point; the middle of it where the bottom is flat within half a pixel.
    - **Width**: longest run of keyhole pixels parallel to the surface, at any depth below it.
    - **Aperture**: from the first to the last keyhole pixel parallel to the surface, at the
      surface: mean of the keyhole's two uppermost rows below the line. They may begin up to 3 px
      below it, since plates are not flat; a keyhole that begins deeper is closed.
    - **Front-wall angle**: between the aperture and the front wall, inside the keyhole. 90 is
      straight down; it is less where the wall leans so that the tip trails behind. The wall is a
      robust line through the foremost keyhole pixel of each row from 20 to 80 % of the depth; with
      fewer than 4 such rows there is none.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        surface: Surface from `substrate_surface`, or None.
        smallest_px: Smallest area in pixels.

    Returns:
        What was measured, in pixels and degrees.

    Example:
        >>> labels = np.full((40, 40), 1, np.uint8)
        >>> labels[:10] = 0
        >>> labels[10:30, 16:24] = 2
        >>> names = ["background", "substrate", "keyhole"]
        >>> found = measure_keyhole(labels, names, Surface(slope=0.0, offset=9.5))
        >>> found.area_px, found.depth_px, found.width_px, found.x_px, found.aspect_ratio
        (160, 20.0, 8.0, 19.5, 2.5)
        >>> found.front_wall_angle_deg(scan_direction=-1)
        90.0
    """
    y, x = _pixels(mask_of(labels, class_names, "keyhole"), smallest_px)
    if not len(x):
        return Keyhole()
    if surface is None:
        unknown = math.nan
        return Keyhole(len(x), unknown, unknown, unknown, x_px=float(x.mean()))
    # Rows parallel to the surface: row 0 has in each column the first centre below the line.
    row = y - np.ceil(surface.row(x)).astype(int)
    below = row >= 0
    if not below.any():
        return Keyhole(len(x), x_px=float(x.mean()))
    level = np.zeros((row.max() + 1, int(np.ptp(x)) + 1), bool)
    level[row[below], x[below] - x.min()] = True
    rows = _Rows.of(level, int(x.min()))
    depth, tip_x, tip_y = _tip(x, y, surface)
    # A step to the next column is longer along a tilted surface.
    width = _longest_run(level) / surface.cosine
    aperture, middle = _aperture(rows)
    return Keyhole(
        area_px=len(x),
        depth_px=depth,
        width_px=width,
        aperture_px=aperture / surface.cosine,
        aspect_ratio=depth / width,
        left_wall_angle_deg=90 - _lean(rows.number, rows.first, surface, depth),
        right_wall_angle_deg=90 + _lean(rows.number, rows.last, surface, depth),
        x_px=float(x.mean()) if middle is None else middle,
        tip_x_px=tip_x,
        tip_y_px=tip_y,
    )


class _Rows(NamedTuple):
    """The rows of pixels below the surface, and parallel to it, in which there is keyhole."""

    number: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, level: np.ndarray, left: int) -> _Rows:
        """Find the rows of a mask `(rows, columns)` whose first column is `left` in the frame."""
        number = np.flatnonzero(level.any(axis=1))
        filled = level[number]
        last = level.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
        return cls(number, left + filled.argmax(axis=1), left + last)


def _pixels(mask: np.ndarray, smallest_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the keyhole's pixels; none without a keyhole."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return rows, columns
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pieces, count = ndimage.label(window, np.ones((3, 3)))
    areas = np.bincount(pieces.ravel())
    boxes = ndimage.find_objects(pieces)
    largest = boxes[int(areas[1:].argmax())]
    kept = np.zeros(count + 1, bool)
    kept[1:] = [
        area >= smallest_px and _gap(box, largest) <= _GAP_PX
        for area, box in zip(areas[1:], boxes, strict=True)
    ]
    y, x = np.nonzero(kept[pieces])
    return y + rows[0], x + columns[0]


def _gap(box: tuple[slice, slice], other: tuple[slice, slice]) -> int:
    """Return the larger gap between two bounding boxes in rows or columns; 0 if they touch."""
    gaps = [max(a.start - b.stop, b.start - a.stop, 0) for a, b in zip(box, other, strict=True)]
    return int(max(gaps))


def _tip(x: np.ndarray, y: np.ndarray, surface: Surface) -> tuple[float, float, float]:
    """Return depth, column and row of the tip."""
    depths = surface.depth(x, y + 0.5)
    depth = float(depths.max())
    column = float(x[depths > depth - 0.5].mean())
    return depth, column, surface.row(column) + depth / surface.cosine


def _longest_run(level: np.ndarray) -> int:
    """Return the length of the longest run of True in any row."""
    steps = np.diff(np.pad(level, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    begins, ends = (np.nonzero(steps == step)[1] for step in (1, -1))
    return int((ends - begins).max())


def _aperture(rows: _Rows) -> tuple[float, float | None]:
    """Return width and middle of the aperture in columns; 0 and None if it is closed."""
    if rows.number[0] > _AT_SURFACE_PX:
        return 0.0, None
    first, last = rows.first[:2].mean(), rows.last[:2].mean()
    return float(last - first + 1), float((first + last) / 2)


def _lean(row: np.ndarray, x: np.ndarray, surface: Surface, depth: float) -> float:
    """Return the angle in degrees by which a wall, one pixel a row, leans to the right."""
    y = np.ceil(surface.row(x)) + row
    down = surface.depth(x, y)
    wall = (down >= _WALL[0] * depth) & (down <= _WALL[1] * depth)
    if wall.sum() < _LEAST_WALL_ROWS:
        return math.nan
    slope, _ = robust_line(down[wall], surface.along(x, y)[wall])
    return math.degrees(math.atan(slope))


_LEAST_FRAMES = 3

_MOST_FRAMES = 300
"""Frames that are looked at, spread over the recording: it takes time with their square."""

_LEAST_MOTION_PX = 3.0
"""A keyhole that oscillates moves by a pixel or two all the same."""


def scan_direction(frames: pd.DataFrame) -> int | None:
    """Find the scan direction: the median of the velocities between all pairs of frames.

    Args:
        frames: The table of frames: `frame` and `keyhole_x_px`, NaN where there is no keyhole.

    Returns:
        +1 for a keyhole that moves to the right, -1 to the left; None where it is in fewer than 3
        frames, or moves by less than 3 px in all, as it does where the camera follows the laser.

    Example:
        >>> import pandas as pd
        >>> scan_direction(pd.DataFrame({"frame": range(5), "keyhole_x_px": [90, 87, 84, 81, 78]}))
        -1
    """
    seen = frames[frames["keyhole_x_px"].notna()]
    if len(seen) < _LEAST_FRAMES:
        return None
    some = np.linspace(0, len(seen) - 1, min(len(seen), _MOST_FRAMES)).round().astype(int)
    frame, x = (seen[name].to_numpy(float)[some] for name in ("frame", "keyhole_x_px"))
    # As scipy.stats.theilslopes, which takes a second to import.
    after = frame[:, None] > frame
    velocity = float(np.median((x[:, None] - x)[after] / (frame[:, None] - frame)[after]))
    if abs(velocity) * (frame[-1] - frame[0]) < _LEAST_MOTION_PX:
        return None
    return 1 if velocity > 0 else -1
