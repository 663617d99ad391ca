"""All that a stack of label maps tells: geometry, pores through time, fluctuation."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from amseg_keras.classes import IGNORE, MELT_POOL
from amseg_keras.quantify.classes import SMALLEST_PX, check_class_ids, check_class_names, mask_of
from amseg_keras.quantify.dynamics.fluctuation import fluctuation
from amseg_keras.quantify.dynamics.tracks import track_pores
from amseg_keras.quantify.geometry.keyhole import Keyhole, measure_keyhole
from amseg_keras.quantify.geometry.keyhole import scan_direction as keyhole_direction
from amseg_keras.quantify.geometry.melt_pool import (
    BoundaryRow,
    MeltPool,
    boundary_rows,
    measure_melt_pool,
    melt_free_depth,
    summarise_melt_pool,
    with_melt_pools,
)
from amseg_keras.quantify.geometry.pores import Pore, measure_pores
from amseg_keras.quantify.geometry.surface import Surface, substrate_surface
from amseg_keras.quantify.intervals import FrameBounds, edge_at, with_intervals
from amseg_keras.quantify.phantoms import Phantoms
from amseg_keras.quantify.scale import IN_PIXELS, Scale, in_units
from amseg_keras.quantify.summary import summarise

SMALLEST_PORE_UM = 10.0
"""Equivalent diameter below which a pore is a speckle: powder grains and noise look like that."""

_LEAST_PX = 3


@dataclass(frozen=True, eq=False)
class Quantities:
    """Measured quantities of one recording; see `measure`.

    Attributes:
        frames: A row for each readable frame.
        pores: A row for each pore and frame.
        tracks: A row for each pore that was followed through time.
        events: A row for each pore that was formed or that ended.
        summary: Numbers of the whole recording.
        scale: Pixel size and frame rate.
        scan_direction: +1 to the right, -1 to the left, None if unknown.
        boundary: A row for each column and frame with a melt pool: `frame`, `x_px`, `y_px` and
            `sd_px` of `melt_pool_boundary`. None if the labels have no class for the melt pool.

    Example:
        >>> labels = np.zeros((3, 60, 80), np.uint8)
        >>> labels[:, 20:] = 1
        >>> labels[:, 40:46, 50:56] = 2
        >>> found = measure(labels, ["background", "substrate", "pore"], Scale(2.0, 40_000.0))
        >>> found.pores[["frame", "track", "pore_area_um2"]]
           frame  track  pore_area_um2
        0      0      0          144.0
        1      1      0          144.0
        2      2      0          144.0
        >>> found.frames["pore_count"].tolist(), found.summary["pores_formed"]
        ([1, 1, 1], 0)
    """

    frames: pd.DataFrame
    pores: pd.DataFrame
    tracks: pd.DataFrame
    events: pd.DataFrame
    summary: dict[str, Any]
    scale: Scale
    scan_direction: int | None
    boundary: pd.DataFrame | None = None


def measure(
    labels: Iterable[np.ndarray],
    class_names: Sequence[str],
    scale: Scale = IN_PIXELS,
    *,
    scan_direction: int | None = None,
    smallest_pore_um: float = SMALLEST_PORE_UM,
    absent: Collection[str] = (),
    bounds: Mapping[int, FrameBounds] | None = None,
    phantoms: Phantoms | None = None,
) -> Quantities:
    """Measure keyhole and pores in every frame, and follow them through time (section 3.2).

    Args:
        labels: Class ids of each frame, uint8 `(height, width)`: a stack
            `(frames, height, width)`, or anything that yields frames one by one, for stacks
            that do not fit into memory: each is looked at once. 255 is no class; a frame that is
            255 all over could not be read and has no row.
        class_names: Name of each class id: "substrate", "keyhole" and "pore" are looked for, and
            any of them may be missing. Without "substrate", "background" is the metal, as in
            castings.
        scale: Size of a pixel and frame rate. What is known of them adds columns in um, um² and
            s, each behind the one in pixels or frames.
        scan_direction: +1 to the right, -1 to the left; by default found from the motion of the
            keyhole, or of the melt pool where there is none.
        smallest_pore_um: Equivalent diameter below which a pore, or a piece of keyhole, is a
            speckle and is not counted. Areas below 3 px are speckles at any pixel size; without a
            pixel size those below 6 px.
        absent: Classes of "substrate", "keyhole" and "pore" that the label maps do not have. Needed
            only if `class_names` has names other than those of the paper, among which a missing
            class could hide.
        bounds: Label maps of some frames between which the truth lies, by the number of the frame:
            what `amseg segment` leaves in `bounds.npz`. They give 90 % intervals, and the place of
            the surface where the grey levels step. There are no intervals if the labels of any
            such frame are others than those that the bounds belong to: a person corrected them.
        phantoms: Pieces of keyhole to leave out, from `find_phantoms`. A frame with a phantom has
            no interval of its own.

    Returns:
        Tables, in pixels where no other unit is given; columns that end in `_px` have a
        counterpart in um or um², except for positions.

        - `frames`: `frame` (from 0), `time_s`, `surface_slope`, `surface_y_px` (row of the
          surface in the middle of the frame's width), `keyhole_area_px`, `keyhole_depth_px`,
          `keyhole_width_px`, `keyhole_aperture_px`, `keyhole_aspect_ratio` (depth / width),
          `front_wall_angle_deg`, `keyhole_x_px`, `keyhole_tip_x_px`, `keyhole_tip_y_px` (see
          `measure_keyhole`), `pore_count`, `pore_area_px`, `porosity` (pores / (pores + metal)),
          `melt_free_depth_px` (see `melt_free_depth`), `keyhole_area_delta`,
          `keyhole_depth_delta` (see `fluctuation`). With `bounds` the ends of 90 % intervals:
          `low_keyhole_area_px`, `high_keyhole_area_px` and so on (see `with_intervals`).
        - `pores`: `frame`, `time_s`, `pore` (from 0 in its frame), the columns of `Pore` without
          the lowest pixel, `track`.
        - `tracks` and `events`: see `track_pores`.
        - `boundary`: of the melt pool, if it is a class of the labels.
        - `summary`: see `summarise`.

        A quantity that is measured from the surface is NaN in frames without a surface (see
        `substrate_surface`).

    Raises:
        ValueError: A frame is not two-dimensional or not of the first one's shape; a class id has
            no name; a class name is nearly a known one, or unknown while a class is missing; or
            the direction is none.

    Example:
        >>> labels = np.zeros((3, 60, 80), np.uint8)
        >>> labels[:, 20:] = 1
        >>> for frame in range(3):
        ...     labels[frame, 20:40, 10 + 5 * frame : 20 + 5 * frame] = 2
        >>> found = measure(labels, ["background", "substrate", "keyhole"], Scale(2.0, 40_000.0))
        >>> found.frames[["frame", "time_s", "keyhole_depth_um", "keyhole_x_px"]]
           frame    time_s  keyhole_depth_um  keyhole_x_px
        0      0  0.000000              40.0          14.5
        1      1  0.000025              40.0          19.5
        2      2  0.000050              40.0          24.5
        >>> found.scan_direction, found.summary["median_keyhole_area_um2"]
        (1, 800.0)
    """
    if scan_direction not in (None, 1, -1):
        raise ValueError(f"scan_direction must be 1, -1 or None, not {scan_direction!r}")
    check_class_names(class_names, absent)
    smallest_px = smallest_area_px(scale, smallest_pore_um)
    shape: tuple[int, int] | None = None
    measured = []
    bounds = dict(bounds or {})
    are_stale = False
    pools: list[MeltPool] = []
    boundary: list[BoundaryRow] = []
    for index, frame in enumerate(labels):
        shape = _checked_shape(frame, shape, index)
        check_class_ids(frame, class_names, index)
        if (frame != IGNORE).any():
            are_stale |= index in bounds and not bounds[index].belongs_to(frame)
            if phantoms is not None and index in phantoms.pieces:
                # The bounds of this frame hold the phantom, too.
                bounds.pop(index, None)
                frame = phantoms.removed_from(index, frame, class_names)
            edge = edge_at(bounds, index)
            surface = _surface(frame, class_names, edge)
            if edge is not None:
                frame = without_what_is_above(frame, class_names, surface)
            measured.append(_measure_frame(index, frame, class_names, smallest_px, surface))
            if MELT_POOL in class_names:
                pools.append(measure_melt_pool(frame, class_names, surface, smallest_px))
                boundary += boundary_rows(index, frame, class_names, smallest_px)
    if scan_direction is None:
        numbers = [frame.index for frame in measured]
        scan_direction = _direction(numbers, [frame.keyhole.x_px for frame in measured])
        if scan_direction is None:
            # Where nothing evaporates there is a pool without a keyhole.
            middles = [(pool.left_x_px + pool.right_x_px) / 2 for pool in pools]
            scan_direction = _direction(numbers, middles) if pools else None
    rows = _table(get_type_hints(_FrameRow), [frame.row(scan_direction) for frame in measured])
    if MELT_POOL in class_names:
        rows = with_melt_pools(rows, pools, scan_direction)
    bounded = [frame for frame in measured if frame.index in bounds and not are_stale]
    if bounded:
        least, most = (
            _end(bounded, which, class_names, smallest_px, bounds) for which in ("least", "most")
        )
        rows = with_intervals(rows, least, most, bounds[bounded[0].index].factors)
    frames = in_units(rows, scale)
    for of in ("area", "depth"):
        frames[f"keyhole_{of}_delta"] = fluctuation(frames[f"keyhole_{of}_px"]).delta_i
    rows_of_pores = [row for frame in measured for row in frame.pore_rows()]
    pores = in_units(_table(_PORE_KINDS, rows_of_pores), scale)
    found = track_pores(pores, frames, shape or (0, 0), scale)
    summary = summarise(frames, found, scale) | {"scan_direction": scan_direction}
    if MELT_POOL in class_names:
        summary |= summarise_melt_pool(frames, scale)
    if phantoms is not None:
        summary["phantoms_removed"] = sum(map(len, phantoms.pieces.values()))
    tables = found.pores, found.tracks, found.events
    outline = _table(get_type_hints(BoundaryRow), boundary) if MELT_POOL in class_names else None
    return Quantities(frames, *tables, summary, scale, scan_direction, outline)


def smallest_area_px(scale: Scale, smallest_pore_um: float = SMALLEST_PORE_UM) -> float:
    """Return the area in pixels below which a pore is a speckle of a label map.

    Args:
        scale: Scale with or without a pixel size.

    Returns:
        Its area, at least 3; 6 where the pixel size is not known.

    Example:
        >>> round(smallest_area_px(Scale(2.0)), 2), smallest_area_px(Scale(10.0))
        (19.63, 3.0)
    """
    if scale.pixel_size_um is None:
        return float(SMALLEST_PX)
    return max(math.pi / 4 * (smallest_pore_um / scale.pixel_size_um) ** 2, float(_LEAST_PX))


def _direction(frames: Sequence[int], columns: Sequence[float]) -> int | None:
    places = {"frame": frames, "keyhole_x_px": columns}
    return keyhole_direction(pd.DataFrame(places, dtype=float))


class _FrameRow(NamedTuple):
    """Columns of the table of frames."""

    frame: int
    surface_slope: float
    surface_y_px: float
    keyhole_area_px: int
    keyhole_depth_px: float
    keyhole_width_px: float
    keyhole_aperture_px: float
    keyhole_aspect_ratio: float
    front_wall_angle_deg: float
    keyhole_x_px: float
    keyhole_tip_x_px: float
    keyhole_tip_y_px: float
    pore_count: int
    pore_area_px: int
    porosity: float
    melt_free_depth_px: float


_PORE_KINDS = {"frame": int, "pore": int} | {
    name: kind for name, kind in get_type_hints(Pore).items() if not name.startswith("lowest")
}
"""Columns of the table of pores, and their types."""


@dataclass(frozen=True, eq=False)
class _MeasuredFrame:
    """Measured quantities of a frame, before the direction of the laser is known."""

    index: int
    surface: Surface | None
    surface_y_px: float
    keyhole: Keyhole
    pores: list[Pore]
    porosity: float
    melt_free_depth_px: float

    def row(self, scan_direction: int | None) -> _FrameRow:
        keyhole = self.keyhole
        return _FrameRow(
            self.index,
            math.nan if self.surface is None else self.surface.slope,
            self.surface_y_px,
            keyhole.area_px,
            keyhole.depth_px,
            keyhole.width_px,
            keyhole.aperture_px,
            keyhole.aspect_ratio,
            keyhole.front_wall_angle_deg(scan_direction),
            keyhole.x_px,
            keyhole.tip_x_px,
            keyhole.tip_y_px,
            len(self.pores),
            sum(pore.pore_area_px for pore in self.pores),
            self.porosity,
            self.melt_free_depth_px,
        )

    def pore_rows(self) -> list[tuple[Any, ...]]:
        count = len(_PORE_KINDS) - 2
        return [(self.index, number, *pore[:count]) for number, pore in enumerate(self.pores)]


def _surface(
    labels: np.ndarray, class_names: Sequence[str], edge: tuple[float, float] | None
) -> Surface | None:
    """Find the surface of the labels, moved to the step of the grey levels if that is known."""
    surface = substrate_surface(labels, class_names)
    if surface is None or edge is None:
        return surface
    return Surface(surface.slope + edge[0], surface.offset + edge[1])


def without_what_is_above(
    labels: np.ndarray, class_names: Sequence[str], surface: Surface | None
) -> np.ndarray:
    """Leave out the keyhole above a surface that the grey levels tell: there is no metal there.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        surface: Surface where the grey levels step.

    Returns:
        The labels, with 255 in place of keyhole above the surface.

    Example:
        >>> labels = np.ones((3, 2), np.uint8)
        >>> without_what_is_above(labels, ["substrate", "keyhole"], Surface(0.0, 0.5)).tolist()
        [[255, 255], [1, 1], [1, 1]]
    """
    if surface is None or "keyhole" not in class_names:
        return labels
    rows = surface.row(np.arange(labels.shape[1], dtype=float))
    above = np.arange(labels.shape[0])[:, None] < rows
    return np.where(above & (labels == class_names.index("keyhole")), np.uint8(IGNORE), labels)


def _end(
    frames: Sequence[_MeasuredFrame],
    which: str,
    class_names: Sequence[str],
    smallest_px: float,
    bounds: Mapping[int, FrameBounds],
) -> pd.DataFrame:
    """Measure one of the two bounds of frames.

    The surface is that of the frame if the grey levels tell where it is. Otherwise it is as
    uncertain as the labels are.
    """
    rows, pools = [], []
    for frame in frames:
        surface, labels = frame.surface, getattr(bounds[frame.index], which)
        if edge_at(bounds, frame.index) is None:
            surface = substrate_surface(labels, class_names)
        else:
            labels = without_what_is_above(labels, class_names, surface)
        measured = _measure_frame(frame.index, labels, class_names, smallest_px, surface)
        rows.append(measured.row(None))
        if MELT_POOL in class_names:
            pools.append(measure_melt_pool(labels, class_names, surface, smallest_px))
    table = _table(get_type_hints(_FrameRow), rows)
    return with_melt_pools(table, pools, None) if MELT_POOL in class_names else table


def _measure_frame(
    index: int,
    labels: np.ndarray,
    class_names: Sequence[str],
    smallest_px: float,
    surface: Surface | None,
) -> _MeasuredFrame:
    keyhole = measure_keyhole(labels, class_names, surface, smallest_px)
    pores = measure_pores(labels, class_names, surface, smallest_px)
    metal = "substrate" if "substrate" in class_names else "background"
    metal_px = np.count_nonzero(mask_of(labels, class_names, metal))
    pores_px = sum(pore.pore_area_px for pore in pores)
    return _MeasuredFrame(
        index,
        surface,
        math.nan if surface is None else surface.row((labels.shape[1] - 1) / 2),
        keyhole,
        pores,
        # Pores in no metal at all are errors, not a part that is all pore.
        pores_px / (pores_px + metal_px) if metal_px else math.nan,
        melt_free_depth(labels, class_names, surface, keyhole, pores),
    )


def _checked_shape(frame: np.ndarray, shape: tuple[int, int] | None, index: int) -> tuple[int, int]:
    """Return height and width of a frame, which must equal earlier frames."""
    if frame.ndim != 2:
        raise ValueError(f"frame {index}: labels must be (height, width), not {frame.shape}")
    if shape is not None and frame.shape != shape:
        raise ValueError(f"frame {index}: is {frame.shape}, the frames before it are {shape}")
    height, width = frame.shape
    return height, width


def _table(kinds: Mapping[str, type], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Make a table with columns of these types, even without rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    named = zip(kinds.items(), columns, strict=True)
    return pd.DataFrame({name: np.array(values, kind) for (name, kind), values in named})
