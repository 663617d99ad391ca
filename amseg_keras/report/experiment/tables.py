"""Tables of a report: pores, events and others, with as many digits as numbers are worth."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import SIZE_FROM, column_with_unit
from amseg_keras.report.experiment.look import TimeAxis, unit_of
from amseg_keras.report.page import NOTHING, count

ROWS = 200
"""A longer table is cut: what is to be looked through is in a file."""


def data_table(table: pd.DataFrame, columns: Mapping[str, str], file: str) -> str:
    """The first rows of a table.

    Args:
        table: A row for each thing.
        columns: Column of `table` and its title; one that is not there is left out. The first
            one names the row.
        file: Where all rows are.
    """
    there = {name: title for name, title in columns.items() if name in table}
    head = "".join(f"<th>{escape(title)}</th>" for title in there.values())
    rows = [
        f"<th>{escape(in_words(first))}</th>"
        + "".join(f"<td>{escape(in_words(value))}</td>" for value in rest)
        for first, *rest in table[list(there)].head(ROWS).itertuples(index=False)
    ]
    shown = (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
        + "".join(f"<tr>{row}</tr>" for row in rows)
        + "</tbody></table></div>"
    )
    if len(table) > ROWS:
        shown += (
            f'<p class="soft">The first {ROWS} of {len(table):,} rows; all of them are in '
            f"{escape(file)}.</p>"
        )
    return shown


def in_words(value: Any) -> str:
    """A value of a table as a reader wants it.

    Example:
        >>> [in_words(value) for value in (12345.6, 0.01234, 7, True, float("nan"), "vanished")]
        ['12,346', '0.0123', '7', 'yes', '–', 'vanished']
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NOTHING
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


_PLACE = {"x_px": "column (px)", "y_px": "row (px)"}


def pore_tables(quantities: Quantities, axis: TimeAxis, folder: str) -> list[str]:
    """A table of the pores through time, and two folded ones: of events, and of all sightings.

    Args:
        quantities: Of an experiment with pores.
        axis: Of time.
        folder: Where the tables are as files, as it is to be shown.
    """
    events, pores = quantities.events, quantities.pores
    moment = {"frame": "frame", "time": axis.label}
    event_columns = {
        **moment,
        "event": "event",
        "track": "pore",
        **_PLACE,
        **_in_unit(events, "equivalent_diameter", "equivalent diameter"),
        "from_keyhole": "formed at the keyhole",
    }
    pore_columns = {
        **moment,
        "track": "pore",
        **_in_unit(pores, "equivalent_diameter", "equivalent diameter"),
        **_in_unit(pores, "pore_area", "area"),
        **_in_unit(pores, "depth", "depth"),
        **_PLACE,
        "eccentricity": "eccentricity",
        "touches_keyhole": "touches the keyhole",
    }
    return [
        _tracks(quantities.tracks, f"{folder}/tracks.csv"),
        '<p class="soft">Each row is one pore, followed from frame to frame. Static are blobs that '
        "never move and were not formed during the recording: old pores or dirt. Unclear is what "
        "was seen too seldom to tell. Neither has a rate. Behind ± are standard errors.</p>",
        _folded(
            f"{count(len(events), 'event')}: when pores were formed and when they ended",
            data_table(_with_time(events, axis), event_columns, f"{folder}/events.csv"),
        ),
        _folded(
            f"Every pore in every frame: {count(len(pores), 'row')}",
            data_table(_with_time(pores, axis), pore_columns, f"{folder}/pores.csv"),
        ),
    ]


def _tracks(tracks: pd.DataFrame, file: str) -> str:
    area = column_with_unit(tracks, "largest_area")
    length = unit_of(area, SIZE_FROM in tracks).replace("²", "")
    largest = np.sqrt(4 / np.pi * tracks[area])
    columns = {
        "track": "pore",
        "first_frame": "first frame",
        "last_frame": "last frame",
        **({"origin": "origin"} if "origin" in tracks else {}),
        "from_keyhole": "formed at the keyhole",
        **_in_unit(tracks, "birth_depth", "birth depth"),
        "largest_diameter": f"largest diameter ({length})",
        **_in_unit(tracks, "birth_area", "birth area"),
        **_in_unit(tracks, "final_area", "final area"),
        **_velocities(tracks),
        "frozen_frame": "at rest from frame",
        "end": "end",
    }
    return data_table(tracks.assign(largest_diameter=largest), columns, file)


def _in_unit(table: pd.DataFrame, quantity: str, title: str) -> dict[str, str]:
    """A column in the unit that is known, and its title with that unit."""
    name = column_with_unit(table, quantity)
    return {name: f"{title} ({unit_of(name, SIZE_FROM in table)})"}


def _velocities(tracks: pd.DataFrame) -> dict[str, str]:
    if "drift_x_mm_per_s" in tracks:
        said = ", assumed" if SIZE_FROM in tracks else ""
        rates = {
            "growth{}_um2_per_s": f"growth (µm²/s{said})",
            "drift_x{}_mm_per_s": f"drift right (mm/s{said})",
            "drift_y{}_mm_per_s": f"drift down (mm/s{said})",
        }
    else:
        rates = {
            "growth{}_px_per_frame": "growth (px² a frame)",
            "drift_x{}_px_per_frame": "drift right (px a frame)",
            "drift_y{}_px_per_frame": "drift down (px a frame)",
        }
    columns = {}
    for name, title in rates.items():
        columns[name.format("")] = title
        if name.format("_error") in tracks:
            columns[name.format("_error")] = f"± {title}"
    return columns


def _with_time(table: pd.DataFrame, axis: TimeAxis) -> pd.DataFrame:
    if not axis.unit:
        return table
    return table.assign(time=[axis.number(frame) for frame in table["frame"]])


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"
