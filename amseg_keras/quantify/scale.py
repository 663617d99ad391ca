"""Convert pixels and frames to um, mm and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scale:
    """Pixel size and frame rate; None if unknown.

    Attributes:
        pixel_size_um: Size of a pixel in the object, in um.
        frame_rate_hz: Frames per second.
        pixel_size_assumed: Whether nobody measured the pixel size. Tables and figures then say so.

    Raises:
        ValueError: One of them is not positive.

    Example:
        >>> Scale(4.31, 40_000)
        Scale(pixel_size_um=4.31, frame_rate_hz=40000, pixel_size_assumed=False)
    """

    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    pixel_size_assumed: bool = False

    def __post_init__(self) -> None:
        for name in ("pixel_size_um", "frame_rate_hz"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a positive number, not {value}")

    def in_units(self, column: str) -> tuple[str, float] | None:
        """Name of a column's counterpart in physical units, and the factor that leads there.

        Positions (`x_px`, `tip_y_px`) stay in pixels, because they count from the frame's corner.

        Args:
            column: Name of the column, which ends in its unit.

        Returns:
            None for positions, for what has no unit, and where the needed size or rate is not
            known.

        Example:
            >>> Scale(2.0).in_units("pore_area_px"), Scale(2.0).in_units("birth_depth_px")
            (('pore_area_um2', 4.0), ('birth_depth_um', 2.0))
            >>> Scale(2.0, 1000).in_units("drift_x_px_per_frame")
            ('drift_x_mm_per_s', 2.0)
            >>> Scale(2.0).in_units("x_px"), Scale(2.0).in_units("drift_x_px_per_frame")
            (None, None)
        """
        if self.pixel_size_um is None or column.endswith(("x_px", "y_px")):
            return None
        pixel = self.pixel_size_um
        factors = {"area_px": ("area_um2", pixel**2), "_px": ("_um", pixel)}
        if self.frame_rate_hz is not None:
            growth = pixel**2 * self.frame_rate_hz
            factors["growth_error_px_per_frame"] = ("growth_error_um2_per_s", growth)
            factors["growth_px_per_frame"] = ("growth_um2_per_s", growth)
            factors["_px_per_frame"] = ("_mm_per_s", pixel * self.frame_rate_hz / 1000)
        for ending, (unit, factor) in factors.items():
            if column.endswith(ending):
                return column.removesuffix(ending) + unit, factor
        return None


SIZE_FROM = "pixel_size_from"
"""Column of a table in um whose pixel size nobody measured; all its rows say "assumed"."""

ASSUMED = "assumed"
"""Source of an assumed pixel size, in tables and records."""

UNITS = ("um2", "um", "px")
"""Units of areas and lengths; the first can be compared between magnifications."""

IN_PIXELS = Scale()
"""Nothing is known: everything stays in pixels and frames."""


def in_units(table: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Add to a table in pixels and frames what it is in physical units.

    Args:
        table: Columns named by their units: `..._area_px` (areas, in px), `..._px` (lengths),
            `growth_px_per_frame` (of an area), `..._px_per_frame` (velocities), `frame`.
        scale: Pixel size and frame rate.

    Returns:
        The table with `..._area_um2`, `..._um`, `growth_um2_per_s`, `..._mm_per_s` and `time_s`,
        each behind the column that it comes from; without pixel size or frame rate those that
        need it are not there. If the pixel size is assumed, the last column `pixel_size_from`
        says "assumed" in every row.

    Example:
        >>> import pandas as pd
        >>> in_units(pd.DataFrame({"frame": [4], "depth_px": [10.0]}), Scale(2.0, 1000.0))
           frame  time_s  depth_px  depth_um
        0      4   0.004      10.0      20.0
    """
    import pandas as pd

    columns = {}
    for name, values in table.items():
        columns[name] = values
        counterpart = scale.in_units(str(name))
        if name == "frame" and scale.frame_rate_hz is not None:
            columns["time_s"] = values / scale.frame_rate_hz
        elif counterpart is not None:
            columns[counterpart[0]] = values * counterpart[1]
    if scale.pixel_size_um is not None and scale.pixel_size_assumed:
        columns[SIZE_FROM] = pd.Series(ASSUMED, table.index, str)
    return pd.DataFrame(columns, index=table.index)


def column_with_unit(table: pd.DataFrame, quantity: str) -> str:
    """Choose the column of a quantity: in um if any pixel size is known, else in px.

    Experiments of other magnifications can only be compared in um; those without a pixel size
    have NaN there.

    Raises:
        ValueError: the quantity has no column.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"keyhole_area_px": [10.0], "keyhole_area_um2": [40.0]})
        >>> column_with_unit(table, "keyhole_area")
        'keyhole_area_um2'
    """
    names = [f"{quantity}_{unit}" for unit in UNITS if f"{quantity}_{unit}" in table]
    for name in names:
        if table[name].notna().any():
            return name
    if not names:
        raise ValueError(f"The table has no column {quantity}_um, _um2 or _px.")
    return names[-1]


def known_pixel_size(
    given: float | None, of_file: float | None, assumed: float | None
) -> tuple[float | None, str | None]:
    """Choose the pixel size of a recording, and say where it comes from.

    Args:
        given: Pixel size in um from the user.
        of_file: Pixel size in um from the file.
        assumed: Pixel size in um to assume without these; None to measure in px.

    Example:
        >>> known_pixel_size(None, 2.0, 4.31), known_pixel_size(None, None, 4.31)
        ((2.0, 'file'), (4.31, 'assumed'))
        >>> known_pixel_size(None, None, None)
        (None, None)
    """
    known = {"user": given, "file": of_file, ASSUMED: assumed}
    return next(((size, of) for of, size in known.items() if size is not None), (None, None))


def known_frame_rate(given: float | None, of_file: float | None) -> tuple[float | None, str | None]:
    """Choose the frame rate of a recording, and say where it comes from."""
    return known_pixel_size(given, of_file, None)


def said_of_pixel_size(size: float | None, size_from: str | None) -> tuple[str, ...]:
    """Tell the user of an unknown or assumed pixel size; return nothing for a known one.

    Args:
        size: Pixel size in um; None if unknown.
        size_from: Source of the pixel size, from `known_pixel_size`.

    Example:
        >>> said_of_pixel_size(None, None), said_of_pixel_size(2.0, "user")
        (('the pixel size is not known: all areas are in pixels; give --pixel-size',), ())
    """
    if size is None:
        return ("the pixel size is not known: all areas are in pixels; give --pixel-size",)
    if size_from != ASSUMED:
        return ()
    return (
        f"the pixel size {size:g} um is ASSUMED, as in the preset's training frames: every number "
        "in um is a guess; give --pixel-size",
    )
