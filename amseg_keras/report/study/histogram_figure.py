"""Histograms of the keyhole's area with and without pores (the paper's Figure 7a, b)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.study.axis_labels import axis_label
from amseg_keras.report.study.groups import WITH_PORES, WITHOUT_PORES

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
