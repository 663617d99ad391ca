"""Intervals of what is measured, from label maps between which the truth lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

BOUNDED = (
    *("keyhole_area_px", "keyhole_depth_px", "pore_area_px"),
    *("melt_pool_area_px", "melt_pool_depth_px"),
)
"""Columns that get an interval."""

LOW, HIGH = "low_", "high_"
"""Beginnings of the names of the columns of both ends."""

SOURCE = "interval_from"
"""Column that says whether the network was asked in a frame, or only in others."""


@dataclass(frozen=True)
class FrameBounds:
    """Label maps of a frame between which the truth lies, and where its plate begins.

    Attributes:
        least: Class ids with as little keyhole, pore and melt pool as can be, uint8 `(height,
            width)`.
        most: Class ids with as much as can be, likewise.
        edge: What to add to slope and offset of the surface of the labels; None where the grey
            levels have no clear step.
        class_pixels: Pixels of each class in the labels that the bounds belong to; empty to take
            any labels.
        factors: Factor on the interval of each quantity, such as `keyhole_depth`, that makes it
            cover the truth in 90 % of simulated frames; 1 for those that are not there.

    Example:
        >>> maps = np.zeros((2, 8, 8), np.uint8)
        >>> FrameBounds(maps[0], maps[1], class_pixels=(60, 4)).belongs_to(maps[0])
        False
    """

    least: np.ndarray
    most: np.ndarray
    edge: tuple[float, float] | None = None
    class_pixels: tuple[int, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)

    def belongs_to(self, labels: np.ndarray) -> bool:
        """Tell whether the bounds belong to these labels, if that is known."""
        if labels.shape != self.least.shape:
            return False
        count = len(self.class_pixels)
        found = np.bincount(labels.ravel(), minlength=count)[:count]
        return bool((found == self.class_pixels).all()) if count else True


def edge_at(bounds: Mapping[int, FrameBounds], frame: int) -> tuple[float, float] | None:
    """Give a frame what the surface of its labels lacks, from the frames in which it is known.

    Args:
        bounds: Bounds of some frames, by their numbers.
        frame: Number of the frame.

    Returns:
        What to add to slope and offset of the surface, interpolated; None if no frame knows.

    Example:
        >>> maps = np.zeros((8, 8), np.uint8)
        >>> known = {0: FrameBounds(maps, maps, (0.0, 2.0)), 4: FrameBounds(maps, maps, (0.0, 4.0))}
        >>> edge_at(known, 1), edge_at({}, 1)
        ((0.0, 2.5), None)
    """
    known = {number: one.edge for number, one in sorted(bounds.items()) if one.edge is not None}
    if not known:
        return None
    slopes, offsets = zip(*known.values(), strict=True)
    at = list(known)
    return float(np.interp(frame, at, slopes)), float(np.interp(frame, at, offsets))


def half_widths(
    name: str, values: np.ndarray, least: np.ndarray, most: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give how far intervals reach below and above the values, before any factor.

    They reach as far as the smallest and the largest of three values, and by the resolution more:
    a pixel of a length, and a pixel along the edge of an area.

    Args:
        name: Column of the values.
        values: Values of the labels.
        least: Values of the smaller label maps.
        most: Values of the larger ones.

    Example:
        >>> half_widths("keyhole_depth_px", np.array([50.0]), np.array([46.0]), np.array([50.0]))
        (array([5.]), array([1.]))
    """
    three = np.stack((values, least, most)).astype(float)
    resolution = np.ones(len(values))
    if "area" in name:
        resolution = np.sqrt(np.maximum(values, 1))
    return three[0] - three.min(axis=0) + resolution, three.max(axis=0) - three[0] + resolution


def with_intervals(
    table: pd.DataFrame,
    least: pd.DataFrame,
    most: pd.DataFrame,
    factors: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Add the ends of 90 % intervals to the table of frames.

    In a frame with bounds an interval reaches as far as `half_widths` says, times the factor of the
    quantity. Other frames get its parts below and above the value of the labels, interpolated
    between the nearest frames with bounds that have a keyhole, or pores, as they have, or have
    none, as they have none.

    Args:
        table: Row for each readable frame: `frame` and columns of `BOUNDED`, in pixels.
        least: Same columns, measured on the smaller label maps of some of the frames.
        most: Same columns, measured on the larger ones of the same frames.
        factors: Factor on the interval of each quantity; 1 by default.

    Returns:
        The table with `low_...` and `high_...` behind each of the columns, NaN where nothing is
        known; and `interval_from`, "network" in frames with bounds, "interpolated" in others.

    Example:
        >>> import pandas as pd
        >>> columns = {"keyhole_area_px": [10, 10], "keyhole_depth_px": [5.0, 5.0]}
        >>> table = pd.DataFrame({"frame": [0, 1], **columns, "pore_area_px": [0, 0]})
        >>> at_first = table.head(1)
        >>> found = with_intervals(table, at_first.assign(keyhole_area_px=8), at_first)
        >>> found["low_keyhole_area_px"].round(1).tolist()
        [4.8, 4.8]
        >>> found["high_keyhole_area_px"].round(1).tolist()
        [13.2, 13.2]
    """
    import pandas as pd

    columns: dict[str, object] = {}
    frames = table["frame"].to_numpy()
    places = np.searchsorted(frames, least["frame"].to_numpy())
    for name in table.columns:
        columns[name] = table[name]
        if name not in BOUNDED:
            continue
        values = table[name].to_numpy(float)
        factor = (factors or {}).get(name.removesuffix("_px"), 1.0)
        ends = [end[name].to_numpy(float) for end in (least, most)]
        below, above = half_widths(name, values[places], *ends)
        low, high = (np.full(len(values), np.nan) for _ in range(2))
        for has in (False, True):
            group = (values > 0) == has
            known = group[places] & np.isfinite(below) & np.isfinite(above)
            if not known.any():
                continue
            at = frames[places][known]
            down, up = (np.interp(frames[group], at, side[known]) for side in (below, above))
            low[group] = np.maximum(values[group] - factor * down, 0)
            high[group] = values[group] + factor * up
        columns[LOW + name], columns[HIGH + name] = low, high
    asked = np.isin(frames, least["frame"])
    columns[SOURCE] = np.where(asked, "network", "interpolated")
    return pd.DataFrame(columns, index=table.index)


def interval_of_median(frames: pd.DataFrame, column: str) -> dict[str, float]:
    """Give the ends of the 90 % interval of a median, if the frames have intervals.

    A network that is wrong in one frame is wrong in the next: the ends do not come nearer to each
    other with the number of frames.

    Args:
        frames: Table of frames.
        column: Column of the quantity.

    Returns:
        `low_median_...` and `high_median_...`; nothing if the quantity has no intervals.
    """
    return {
        f"{end}median_{column}": float(frames[end + column].median())
        for end in (LOW, HIGH)
        if end + column in frames
    }
