"""Cards and plots of the quantities of a recording, drawn by `amseg_keras.report`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from amseg_keras.quantify import Quantities
from amseg_keras.quantify.intervals import HIGH, LOW, SOURCE
from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.experiment.look import PAGE_COLOURS, inline_svg, time_axis, unit_of
from amseg_keras.report.experiment.tables import in_words, pore_tables
from amseg_keras.report.experiment.time_series import (
    LEAST_FRAMES,
    area_histogram_figure,
    panels_of,
    time_series_figure,
)

CARDS = {
    "keyhole_area": "keyhole area",
    "keyhole_depth": "keyhole depth",
    "keyhole_width": "keyhole width",
    "melt_pool_depth": "melt-pool depth",
    "melt_pool_length": "melt-pool length",
    "pore_count": "pores",
    "pore_area": "pore area",
    "porosity": "porosity",
}
"""Columns of the table of frames, without units, that are shown large."""


def cards(quantities: Quantities, index: int) -> list[dict[str, Any]]:
    """Return the numbers of one frame, with titles and units.

    Args:
        index: Number of the frame, from 0.

    Returns:
        A card for each quantity of `CARDS` that was measured: `title`, `number`, `unit` and
        `interval`, the 90 % interval in words, empty where there is none. No card for a frame that
        could not be read.
    """
    row = quantities.frames[quantities.frames["frame"] == index]
    if row.empty:
        return []
    shown = []
    for name, title in CARDS.items():
        if name.startswith("melt_pool") and quantities.boundary is None:
            continue
        column = column_with_unit(quantities.frames, name) if name not in row else name
        shown.append(
            {
                "title": title,
                "number": in_words(row[column].iloc[0]),
                "unit": unit_of(column),
                "interval": _interval(row.iloc[0], column),
            }
        )
    return shown


def _interval(row: pd.Series, column: str) -> str:
    """Write the 90 % interval of a quantity, and whether it is interpolated."""
    ends = [row.get(f"{end}{column}") for end in (LOW, HIGH)]
    if any(end is None or pd.isna(end) for end in ends):
        return ""
    low, high = map(in_words, ends)
    between = " (interpolated)" if row.get(SOURCE) == "interpolated" else ""
    return f"90 %: {low} to {high}{between}"


def time_plots(quantities: Quantities, class_names: Sequence[str], frames: int) -> str:
    """Draw keyhole and pores over time as HTML, with a mark that `page.js` moves."""
    if frames < 2 or not panels_of(class_names):
        return '<p class="soft">There is nothing to plot over time.</p>'
    figure = time_series_figure(quantities, class_names, time_axis(quantities.scale, frames))
    first, last = (axes.get_position() for axes in (figure.axes[0], figure.axes[-1]))
    cursor = {"left": first.x0 + first.width / 2 / frames, "top": 1 - first.y1, "bottom": last.y0}
    style = "; ".join(f"{side}: {share:.3%}" for side, share in cursor.items())
    what = "Keyhole area, keyhole depth and pore area over time"
    return (
        f'<div class="wide"><div class="plots" data-left="{first.x0}" data-width="{first.width}" '
        f'data-frames="{frames}">{inline_svg(figure, what, PAGE_COLOURS)}'
        f'<i class="cursor" style="{style}"></i></div></div>'
    )


def histogram(quantities: Quantities) -> str:
    """Draw a histogram of the keyhole's area as HTML."""
    figure = area_histogram_figure(quantities)
    if figure is None:
        return f'<p class="soft">A histogram takes {LEAST_FRAMES} frames with a keyhole.</p>'
    svg = inline_svg(figure, "Histogram of the keyhole's area", PAGE_COLOURS)
    return f'<div class="plots narrow">{svg}</div>'


def pores(quantities: Quantities, frames: int, folder: str) -> str:
    """Write tables of the pores through time and in every frame as HTML."""
    if quantities.pores.empty:
        return '<p class="soft">No pores were found.</p>'
    axis = time_axis(quantities.scale, frames)
    return f'<div class="tables">{"".join(pore_tables(quantities, axis, folder))}</div>'
