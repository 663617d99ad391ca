"""Networks compared, as plots (the paper's Figure 4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amseg_keras.atomic import complete_or_absent
from amseg_keras.models.titles import TITLES
from amseg_keras.report.comparison_table import classes_of


@dataclass(frozen=True)
class _Look:
    """Colour, marker and line: what tells networks apart must not be colour alone."""

    colour: str
    marker: str
    line: str


_LOOKS = {
    "amsegnet": _Look("#d55e00", "o", "-"),
    "amsegnet-no-gate": _Look("#e69f00", "s", "--"),
    "resunet": _Look("#009e73", "^", "-."),
    "unet": _Look("#0072b2", "D", "-"),
    "squeezeunet": _Look("#cc79a7", "v", ":"),
    "amsegnet-lite": _Look("#56b4e9", "P", "--"),
}


def draw_comparison(table: pd.DataFrame, curves: pd.DataFrame, path: Path) -> None:
    """Draw mean IoU against segmentation time, IoU of each class, and IoU over training time.

    Args:
        table: A row for each network, with the columns of `comparison.Comparison.table`.
        curves: A row for each epoch of each network, as `comparison.Comparison.curves`.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    # A figure of its own, not pyplot's: that works in threads and without a display.
    figure = Figure(figsize=(12, 8), layout="constrained")
    panels = figure.subplot_mosaic([["time", "training"], ["classes", "classes"]])
    _draw_against_time(panels["time"], table)
    _draw_curves(panels["training"], curves)
    _draw_classes(panels["classes"], table)
    for axes in panels.values():
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dfe3e8", linewidth=0.7)
        axes.set_axisbelow(True)
    handles, labels = panels["time"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    with complete_or_absent(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _draw_against_time(axes: Axes, table: pd.DataFrame) -> None:
    """As the paper's Figure 4a."""
    for name, time, iou in zip(
        table["network"], table["segmentation_ms_per_frame"], table["mean_iou"], strict=True
    ):
        look = _LOOKS[name]
        axes.plot(
            time, iou, look.marker, color=look.colour, linestyle=look.line, markersize=11,
            label=TITLES[name],
        )  # fmt: skip
    axes.margins(0.15)
    axes.set_xlim(left=0)
    axes.set(xlabel="segmentation of a frame (ms)", ylabel="mean IoU on the test frames")
    axes.set_title("Accuracy against time of segmentation", loc="left")


def _draw_curves(axes: Axes, curves: pd.DataFrame) -> None:
    """As the paper's Figure 4d."""
    for name, epochs in curves.groupby("network", sort=False):
        look = _LOOKS[str(name)]
        # A line of one point cannot be seen.
        marker = look.marker if len(epochs) == 1 else ""
        axes.plot(
            epochs["minutes"], epochs["mean_iou"], look.line, color=look.colour, marker=marker
        )
    axes.set(xlabel="training (min)", ylabel="mean IoU on the validation frames", ylim=(0, 1))
    axes.set_xlim(left=0)
    axes.set_title("Accuracy against time of training", loc="left")


def _draw_classes(axes: Axes, table: pd.DataFrame) -> None:
    """Grouped bars, a group for each class."""
    names = classes_of(table)
    width = 0.84 / len(table)
    for number, (_, row) in enumerate(table.iterrows()):
        places = np.arange(len(names)) + (number + 0.5) * width - 0.42
        values = row[[f"iou_{name}" for name in names]].to_numpy(float)
        bars = axes.bar(places, np.nan_to_num(values), width, color=_LOOKS[row["network"]].colour)
        texts = ["none" if np.isnan(value) else f"{value:.2f}" for value in values]
        axes.bar_label(bars, texts, padding=2, fontsize=8)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    axes.set(ylabel="IoU on the test frames", ylim=(0, 1.05))
    axes.set_title("IoU of each class", loc="left")
