"""Size and boundary of the melt pool in a frame, and the plate that stayed solid below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import ndimage

from amseg_keras.classes import MELT_POOL
from amseg_keras.quantify.classes import SMALLEST_PX, mask_of
from amseg_keras.quantify.geometry.keyhole import Keyhole
from amseg_keras.quantify.geometry.pores import Pore
from amseg_keras.quantify.geometry.surface import Surface, robust_line
from amseg_keras.quantify.intervals import interval_of_median
from amseg_keras.quantify.scale import Scale

if TYPE_CHECKING:
    import pandas as pd

_AT_SURFACE_PX = 3
"""Largest depth in pixels at which an open pool may begin, because plates are rough."""

_LEAST_TAILS = 8
"""Frames with a tail below which there is no speed."""

_LEAST_COLUMNS = 8
"""Columns below which a boundary is too short for a curve."""

_MOST_POINTS = 100
"""Points that a curve is drawn through."""


class MeltPool(NamedTuple):
    """The melt pool of a frame; see `measure_melt_pool`.

    Without a melt pool, all lengths and the area are 0 and the columns are NaN. Without a surface,
    only the area is known, and the rest is NaN.

    Attributes:
        area_px: Area of the liquid with the keyhole and the pores in it, in pixels.
        depth_px: Depth of the lowest pixel of the pool below the surface.
        length_px: Largest extent parallel to the surface, at any depth.
        surface_width_px: Extent at the surface; 0 if the pool does not reach it.
        left_x_px: Column of its left end.
        right_x_px: Column of its right end.

    Example:
        >>> MeltPool().depth_px  # of a frame without a melt pool
        0.0
    """

    area_px: int = 0
    depth_px: float = 0.0
    length_px: float = 0.0
    surface_width_px: float = 0.0
    left_x_px: float = math.nan
    right_x_px: float = math.nan

    def tail_x_px(self, scan_direction: int | None) -> float:
        """Return the column of the end where the metal freezes, behind the laser.

        Args:
            scan_direction: +1 to the right, -1 to the left; None, not known, gives NaN.
        """
        if scan_direction is None:
            return math.nan
        return self.left_x_px if scan_direction > 0 else self.right_x_px


def melt_pool_mask(
    labels: np.ndarray, class_names: Sequence[str], smallest_px: float = SMALLEST_PX
) -> np.ndarray:
    """Find the pixels of the melt pool: the liquid with the keyhole and the pores in it.

    The pool is the piece of liquid, keyhole and pores that holds most liquid. Pieces of liquid
    that are not connected with it are taken for errors.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        smallest_px: Smallest area of liquid in pixels.

    Returns:
        bool, of the same shape; nowhere true if there is no liquid.

    Example:
        >>> labels = np.array([[2, 2, 1, 0], [2, 1, 1, 0]], np.uint8)
        >>> melt_pool_mask(labels, ["substrate", "keyhole", "melt pool"], smallest_px=1)
        array([[ True,  True,  True, False],
               [ True,  True,  True, False]])
    """
    liquid = mask_of(labels, class_names, MELT_POOL)
    if liquid.sum() < smallest_px:
        return np.zeros(labels.shape, bool)
    hollow_or_liquid = liquid | mask_of(labels, class_names, "keyhole", "pore")
    pieces, _ = ndimage.label(hollow_or_liquid, np.ones((3, 3)))
    amounts = np.bincount(pieces[liquid])
    if amounts.max() < smallest_px:
        return np.zeros(labels.shape, bool)
    found: np.ndarray = pieces == int(amounts.argmax())
    return found


def measure_melt_pool(
    labels: np.ndarray,
    class_names: Sequence[str],
    surface: Surface | None,
    smallest_px: float = SMALLEST_PX,
) -> MeltPool:
    r"""Measure the melt pool of one frame, along the surface and perpendicular to it.

                 scan direction -->
            |<------ surface width ------>|
        ____._______________.      .______.______  surface  -----
             \               |    |      /                    ^
               \   liquid    |    |    /                    depth
                 \ _ _        \__/   /                        |
                        - _ _ _ _ _/  . . . . . . . . . . .  --v--
            |<-------- length --------->|

    The pool is the liquid with the keyhole and the pores in it (see `melt_pool_mask`).

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        surface: Surface of the substrate, of `substrate_surface`; None if there is none.
        smallest_px: Smallest area of liquid in pixels.

    Returns:
        Lengths in pixels.

    Example:
        >>> labels = np.full((40, 60), 1, np.uint8)
        >>> labels[:10] = 0
        >>> labels[10:22, 15:45] = 2
        >>> names = ["background", "substrate", "melt pool"]
        >>> pool = measure_melt_pool(labels, names, Surface(slope=0.0, offset=9.5))
        >>> pool.depth_px, pool.length_px, pool.surface_width_px, pool.area_px
        (12.0, 30.0, 30.0, 360)
        >>> pool.tail_x_px(scan_direction=1)
        15.0
    """
    y, x = np.nonzero(melt_pool_mask(labels, class_names, smallest_px))
    if not len(x):
        return MeltPool()
    if surface is None:
        unknown = math.nan
        return MeltPool(len(x), unknown, unknown, unknown)
    depth, along = surface.depth(x, y), surface.along(x, y)
    below = depth > 0
    if not below.any():
        return MeltPool()
    open_rows = below & (depth <= _AT_SURFACE_PX)
    at_surface = along[open_rows]
    width = float(at_surface.max() - at_surface.min()) + 1 if at_surface.size else 0.0
    inside = along[below]
    return MeltPool(
        area_px=int(below.sum()),
        depth_px=float(depth.max()) + 0.5,
        length_px=float(inside.max() - inside.min()) + 1,
        surface_width_px=width,
        left_x_px=float(x[below].min()),
        right_x_px=float(x[below].max()),
    )


class Boundary(NamedTuple):
    """The lower boundary of the melt pool as a smooth curve.

    Attributes:
        x_px: Columns, `(points,)`.
        y_px: Row of the curve in each column, between two pixels where the liquid ends.
        sd_px: Robust standard deviation of the boundary pixels about the curve nearby, in pixels.

    Example:
        >>> row = np.array([21.5, 21.5])
        >>> float(Boundary(np.array([4.0, 5.0]), row, np.zeros(2)).y_px.mean())
        21.5
    """

    x_px: np.ndarray
    y_px: np.ndarray
    sd_px: np.ndarray


class BoundaryRow(NamedTuple):
    """A point of the boundary in the table of boundaries; see `Boundary`."""

    frame: int
    x_px: int
    y_px: float
    sd_px: float


def melt_pool_boundary(
    labels: np.ndarray, class_names: Sequence[str], smallest_px: float = SMALLEST_PX
) -> Boundary | None:
    """Draw the boundary between liquid and solid as a smooth curve.

    In each column the boundary lies below the lowest pixel of the pool. A cubic smoothing spline
    goes through these rows; generalised cross-validation chooses how smooth it is. Beyond 100
    columns it goes through means of neighbouring ones. A column whose
    pool ends at the lower edge of the frame says nothing and is left out.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        smallest_px: Smallest area of liquid in pixels.

    Returns:
        The curve; None if the pool is narrower than 8 columns.

    Example:
        >>> labels = np.full((40, 60), 1, np.uint8)
        >>> labels[:10] = 0
        >>> labels[10:22, 15:45] = 2
        >>> curve = melt_pool_boundary(labels, ["background", "substrate", "melt pool"])
        >>> len(curve.x_px), round(float(curve.y_px[10]), 3), round(float(curve.sd_px.max()), 3)
        (30, 21.5, 0.0)
    """
    from scipy.interpolate import make_smoothing_spline  # takes half a second to import

    pool = melt_pool_mask(labels, class_names, smallest_px)
    height = labels.shape[0]
    lowest = height - 1 - pool[::-1].argmax(axis=0)
    columns = np.flatnonzero(pool.any(axis=0) & (lowest < height - 1))
    if len(columns) < _LEAST_COLUMNS:
        return None
    rows = lowest[columns] + 0.5
    # The time grows with the points: of a wide pool, neighbouring columns are averaged.
    first = np.arange(0, len(columns), -(-len(columns) // _MOST_POINTS))
    count = np.diff(first, append=len(columns))
    middles, means = (np.add.reduceat(of, first) / count for of in (columns.astype(float), rows))
    curve = rows
    # A flat boundary leaves the cross-validation nothing to choose.
    if np.ptp(rows) > 0:
        curve = make_smoothing_spline(middles, means, w=count.astype(float))(columns)
    away = np.abs(rows - curve)
    window = min(15, len(columns))
    sd = 1.4826 * ndimage.median_filter(away, size=window, mode="nearest")
    return Boundary(columns.astype(float), np.asarray(curve, float), sd)


def boundary_rows(
    frame: int, labels: np.ndarray, class_names: Sequence[str], smallest_px: float = SMALLEST_PX
) -> list[BoundaryRow]:
    """Give the boundary of a frame as rows of a table, one for each column of the frame.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        smallest_px: Smallest area of liquid in pixels.

    Returns:
        No rows without a boundary; see `melt_pool_boundary`.
    """
    curve = melt_pool_boundary(labels, class_names, smallest_px)
    if curve is None:
        return []
    return [
        BoundaryRow(frame, int(x), float(y), float(sd)) for x, y, sd in zip(*curve, strict=True)
    ]


def melt_free_depth(
    labels: np.ndarray,
    class_names: Sequence[str],
    surface: Surface | None,
    keyhole: Keyhole,
    pores: Sequence[Pore],
) -> float:
    """Measure the distance from the deepest keyhole or pore pixel to the bottom of the plate.

    Where there is a keyhole or a pore, metal has been molten; how far below it is not seen in a
    label map, so this is the most that can have stayed solid. It is measured from the lower edge
    of that pixel, perpendicular to the surface, to the last row of metal in its column: the
    frame's lower edge where the plate goes on below it. Without keyhole and pores it is the whole
    plate, from the surface down in the middle of the frame.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        surface: Surface from `substrate_surface`.
        keyhole: Keyhole from `measure_keyhole`.
        pores: Pores from `measure_pores`.

    Returns:
        In pixels; NaN without a surface, or without metal in that column.

    Example:
        >>> labels = np.zeros((30, 20), np.uint8)
        >>> labels[10:] = 1
        >>> melt_free_depth(labels, ["background", "substrate"], Surface(0.0, 9.5), Keyhole(), [])
        20.0
    """
    if surface is None:
        return math.nan
    points = [(pore.lowest_x_px, pore.lowest_y_px) for pore in pores]
    if not math.isnan(keyhole.tip_y_px):
        points.append((keyhole.tip_x_px, keyhole.tip_y_px))
    if not points:
        middle = (labels.shape[1] - 1) / 2
        points.append((middle, surface.row(middle)))
    x, y = max(points, key=lambda point: surface.depth(*point))
    column = mask_of(labels[:, round(x)], class_names, "substrate", MELT_POOL, "keyhole", "pore")
    if not column.any():
        return math.nan
    return float((np.flatnonzero(column)[-1] + 0.5 - y) / surface.cosine)


def with_melt_pools(
    rows: pd.DataFrame, pools: Sequence[MeltPool], scan_direction: int | None
) -> pd.DataFrame:
    """Add the columns of the melt pool to the table of frames.

    Args:
        rows: A row for each frame, with `keyhole_depth_px`.
        scan_direction: +1 to the right, -1 to the left; None if it is not known.

    Returns:
        A new table. The ratio of the depths is NaN without a melt pool.
    """
    depth = np.array([pool.depth_px for pool in pools], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(depth > 0, rows["keyhole_depth_px"].to_numpy(float) / depth, np.nan)
    return rows.assign(
        melt_pool_area_px=[pool.area_px for pool in pools],
        melt_pool_depth_px=depth,
        melt_pool_length_px=[pool.length_px for pool in pools],
        melt_pool_surface_width_px=[pool.surface_width_px for pool in pools],
        melt_pool_tail_x_px=[pool.tail_x_px(scan_direction) for pool in pools],
        keyhole_to_melt_pool_depth=ratio,
    )


def summarise_melt_pool(frames: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    """Summarise the melt pool of a recording.

    The solidification front is the tail of the pool. Its speed is the slope of a robust line
    through the columns of the tail: the speed along the surface, positive to the right.

    Args:
        frames: Table of `with_melt_pools`.
        scale: Size of a pixel and frame rate.

    Returns:
        `frames_with_melt_pool`, the medians of depth, length, width at the surface, area and
        depth ratio (`median_melt_pool_depth_px` and so on, in um too if the pixel size is known;
        None without a melt pool), the 90 % intervals of depth and area
        (`low_median_melt_pool_depth_px` and so on, if frames have intervals),
        `solidification_front_px_per_frame` (None with fewer than 8 tails), and
        `solidification_front_mm_per_s` if pixel size and frame rate are known.
    """
    there = frames[frames["melt_pool_area_px"] > 0]
    summary: dict[str, Any] = {"frames_with_melt_pool": len(there)}
    for name in ("depth", "length", "surface_width", "area"):
        for column in (one for one in frames if one.startswith(f"melt_pool_{name}_")):
            middle = there[column].median()
            summary[f"median_{column}"] = None if np.isnan(middle) else float(middle)
            summary |= interval_of_median(there, column)
    ratio = there["keyhole_to_melt_pool_depth"].median()
    summary["median_keyhole_to_melt_pool_depth"] = None if np.isnan(ratio) else float(ratio)
    tails = there.dropna(subset=["melt_pool_tail_x_px"])
    speed = None
    if len(tails) >= _LEAST_TAILS:
        frame, column = tails["frame"].to_numpy(float), tails["melt_pool_tail_x_px"].to_numpy(float)
        speed = robust_line(frame, column)[0]
    summary["solidification_front_px_per_frame"] = speed
    if scale.pixel_size_um is not None and scale.frame_rate_hz is not None:
        factor = scale.pixel_size_um * scale.frame_rate_hz / 1000
        summary["solidification_front_mm_per_s"] = None if speed is None else speed * factor
    return summary
