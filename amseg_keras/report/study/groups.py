"""How experiments with and without pores look in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.quantify.study.study import KEYHOLE_PORE

_LARGEST_POINTS = 21.0
"""Diameter in points of the bubble of the largest pore."""

_SMALLEST_POINTS = 4.0


@dataclass(frozen=True)
class Look:
    """Colour (Okabe and Ito's, told apart by the colour-blind), marker and line of a group."""

    title: str
    colour: str
    marker: str
    line: Literal["-", "--", ":"]


WITH_PORES = Look("with keyhole pores", "#d55e00", "o", "-")
WITHOUT_PORES = Look("without keyhole pores", "#0072b2", "s", "--")
WITHOUT_KEYHOLE = Look("without a keyhole", "#767676", "x", ":")


def draw_bubbles(axes: Axes, table: pd.DataFrame, x: str, y: str) -> list[Line2D]:
    """Draw experiments: with pores as bubbles, without as squares.

    The size of a bubble is the equivalent diameter of the largest pore from the keyhole.

    Args:
        axes: to draw on.
        table: from `experiments_table`.
        x: column.
        y: column.

    Returns:
        Handles for the legend: both groups and three sizes of bubbles.
    """
    column = column_with_unit(table, KEYHOLE_PORE)
    with_pores, without = table[table["has_pores"]], table[~table["has_pores"].astype(bool)]
    largest = float(with_pores[column].max()) if len(with_pores) else np.nan
    # Large ones first, so that small ones lie on them.
    with_pores = with_pores.sort_values(column, ascending=False)
    axes.scatter(
        without[x], without[y], s=22, marker=WITHOUT_PORES.marker, facecolors="white",
        edgecolors=WITHOUT_PORES.colour, linewidths=1.2, zorder=4,
    )  # fmt: skip
    axes.scatter(
        with_pores[x], with_pores[y], s=_points(with_pores[column].to_numpy(float), largest) ** 2,
        marker=WITH_PORES.marker, facecolors=WITH_PORES.colour, edgecolors="white",
        linewidths=0.6, alpha=0.75, zorder=3,
    )  # fmt: skip
    handles = [
        Line2D(
            [], [], linestyle="", marker=WITHOUT_PORES.marker, markersize=5,
            markerfacecolor="white", markeredgecolor=WITHOUT_PORES.colour, markeredgewidth=1.2,
            label=f"{WITHOUT_PORES.title} ({len(without)})",
        ),
        Line2D(
            [], [], linestyle="", marker=WITH_PORES.marker, markersize=8,
            markerfacecolor=WITH_PORES.colour, markeredgecolor="white", alpha=0.75,
            label=f"{WITH_PORES.title} ({len(with_pores)})",
        ),
    ]  # fmt: skip
    unit = column.removeprefix(f"{KEYHOLE_PORE}_").replace("um", "µm")
    for size in round_sizes(largest):
        points = float(_points(np.array([size]), largest)[0])
        handles.append(
            Line2D(
                [], [], linestyle="", marker="o", markersize=points, markerfacecolor="none",
                markeredgecolor=WITH_PORES.colour, label=f"{size:g} {unit} pore",
            )
        )  # fmt: skip
    return handles


def round_sizes(largest: float) -> Sequence[float]:
    """Up to three round numbers, each twice the one before, that show the scale of bubbles.

    Example:
        >>> round_sizes(93.0), round_sizes(float("nan"))
        ([20.0, 40.0, 80.0], [])
    """
    if not largest > 0:
        return []
    digit = 10.0 ** np.floor(np.log10(largest))
    top = max(factor * digit for factor in (1, 2, 4, 8) if factor * digit <= largest)
    return [float(top / 4), float(top / 2), float(top)]


def _points(diameters: np.ndarray, largest: float) -> np.ndarray:
    """Diameter of the bubble in points: proportional to that of the pore where it can be seen."""
    return np.maximum(np.nan_to_num(diameters / largest) * _LARGEST_POINTS, _SMALLEST_POINTS)
