"""Distributions over many experiments, and the process map of laser power and speed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.experiment.look import axis_label
from amseg_keras.report.study.groups import WITH_PORES, WITHOUT_KEYHOLE, WITHOUT_PORES, draw_bubbles

_BINS = 40


def area_histograms(frames: pd.DataFrame, title: str = "") -> Figure:
    """Keyhole area in the frames of experiments with pores, and in those of experiments without.

    Args:
        frames: from `keyhole_frames`.
        title: over the figure, for example that the experiments are simulated.

    Example:
        >>> frames = pd.DataFrame({
        ...     "experiment": ["a", "a", "b"], "has_pores": [True, True, False],
        ...     "keyhole_area_um2": [900.0, 2500.0, 1500.0],
        ... })
        >>> [axes.get_xlabel() for axes in area_histograms(frames).axes]
        ['keyhole area (µm²)', 'keyhole area (µm²)']
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_area_histograms((left, right), frames)
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def draw_area_histograms(pair: tuple[Axes, Axes], frames: pd.DataFrame) -> None:
    """Draw both on axes of the same limits; a group without frames leaves its axes empty."""
    column = column_with_unit(frames, "keyhole_area")
    known = frames.dropna(subset=[column])
    edges = np.linspace(0, known[column].max() if len(known) else 1, _BINS + 1).tolist()
    tallest = 0.0
    for axes, look, group in (
        (pair[0], WITH_PORES, known[known["has_pores"]]),
        (pair[1], WITHOUT_PORES, known[~known["has_pores"].astype(bool)]),
    ):
        areas = group[column].to_numpy(float)
        if len(areas):
            share = np.full(len(areas), 100 / len(areas))
            heights, _, _ = axes.hist(
                areas, edges, weights=share, color=look.colour, alpha=0.75, edgecolor="white"
            )
            tallest = max(tallest, float(np.max(heights)))
            axes.axvline(np.median(areas), color="k", linestyle="--", linewidth=1.2)
        axes.text(
            *(0.98, 0.96, _summary(look.title, group, column)),
            transform=axes.transAxes, ha="right", va="top", fontsize=9,
        )  # fmt: skip
        axes.set(xlabel=axis_label(column), ylabel="share of the frames (%)")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in pair:
        axes.locator_params(axis="x", nbins=6)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlim=(0, edges[-1]), ylim=(0, 1.08 * tallest or 1))


def _summary(title: str, group: pd.DataFrame, column: str) -> str:
    lines = [f"{title}: {group['experiment'].nunique()} experiments, {len(group):,} frames"]
    if len(group):
        areas = group[column]
        unit = axis_label(column).partition("(")[2].rstrip(")")
        lines.append(f"median {areas.median():,.0f} {unit} (dashed)")
        lines.append(f"mean {areas.mean():,.0f} ± {areas.std():,.0f} {unit}")
    return "\n".join(lines)


def process_map(table: pd.DataFrame, title: str = "") -> Figure:
    """Power against speed; experiments that never had a keyhole are crosses.

    Args:
        table: from `experiments_table`, with `power_W` and `speed_mm_s`; experiments that lack
            one of them are left out.
        title: over the figure, for example that the experiments are simulated.

    Example:
        >>> table = pd.DataFrame({
        ...     "has_pores": [True], "power_W": [300.0], "speed_mm_s": [900.0],
        ...     "keyhole_frames": [80], "largest_keyhole_pore_equivalent_diameter_um": [40.0],
        ... })
        >>> process_map(table).axes[0].get_ylabel()
        'laser power (W)'
    """
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    axes = figure.subplots()
    rows = table.dropna(subset=["power_W", "speed_mm_s"])
    # What is no keyhole experiment does not count as one without pores; unless it has some.
    shallow = (rows["keyhole_frames"] == 0) & ~rows["has_pores"].astype(bool)
    handles = draw_bubbles(axes, rows[~shallow], "speed_mm_s", "power_W")
    if shallow.any():
        look, conduction = WITHOUT_KEYHOLE, rows[shallow]
        axes.scatter(
            conduction["speed_mm_s"], conduction["power_W"], s=26, marker=look.marker,
            color=look.colour, linewidths=1.2, zorder=3,
        )  # fmt: skip
        handles.append(
            Line2D(
                [], [], linestyle="", marker=look.marker, color=look.colour, markersize=5,
                label=f"{look.title} ({len(conduction)})",
            )
        )  # fmt: skip
    axes.set(xlabel=axis_label("speed_mm_s"), ylabel=axis_label("power_W"))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dfe3e8", linewidth=0.7)
    axes.set_axisbelow(True)
    # Beside the map: no corner of it is free of points for sure.
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=9, labelspacing=0.9
    )
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure
