"""Draw what a data set holds, and how a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amseg_keras.atomic import complete_or_absent
from amseg_keras.report.colours import class_colours

_BAR = "#0072b2"


def draw_statistics(frames: pd.DataFrame, shares: pd.DataFrame, path: Path) -> None:
    """Draw frames per material beside the share of each class.

    Args:
        frames: Table of `datasets.statistics.count_frames`, whose index names the bars.
        shares: Table of `datasets.statistics.class_shares`.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    height = 1.4 + 0.36 * max(len(frames), len(shares))
    # Unlike pyplot, this works in threads and without a display.
    figure = Figure(figsize=(9, height), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts = frames["frames"].to_numpy()
    _bars(left, list(frames.index), counts, [f"{count:,}" for count in counts], [_BAR])
    left.set_xlabel("frames")
    left.set_title(f"Frames by {frames.index.name}", loc="left")
    percent = 100 * shares["share"].to_numpy()
    names = [str(name) for name in shares.index]
    colours = ["#" + bytes(colour).hex() for colour in class_colours(names)]
    _bars(right, names, percent, [_percent(value) for value in percent], colours)
    right.set_xlabel("share of labelled pixels (%)")
    right.set_title("Share of each class", loc="left")
    with complete_or_absent(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _bars(
    axes: Axes,
    names: Sequence[str],
    values: np.ndarray,
    texts: Sequence[str],
    colours: Sequence[str],
) -> None:
    bars = axes.barh(list(names), values, color=list(colours), height=0.7)
    # A bar may be too short to be seen.
    axes.bar_label(bars, list(texts), padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 1 or value == 0 else f"{value:.2g} %"


_PREFIX = "iou_"


def draw_curves(epochs: pd.DataFrame, path: Path) -> None:
    """Draw the loss and the IoU of each class over the epochs.

    Args:
        epochs: A row for each epoch: `epoch`, `loss`, `val_loss`, `mean_iou`, `iou_<class>`.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    # Unlike pyplot, this works in threads and without a display.
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    number = epochs["epoch"] + 1
    left.plot(number, epochs["loss"], color="#0072b2", label="training", marker=_marker(epochs))
    left.plot(
        number, epochs["val_loss"], color="#d55e00", label="validation", marker=_marker(epochs)
    )
    left.set(xlabel="epoch", ylabel="loss", yscale="log")
    left.legend(frameon=False)
    names = [name.removeprefix(_PREFIX) for name in epochs if str(name).startswith(_PREFIX)]
    for name, colour in zip(names, class_colours(names), strict=True):
        right.plot(
            number, epochs[_PREFIX + name], color=colour / 255, label=name, marker=_marker(epochs)
        )
    right.plot(number, epochs["mean_iou"], "k--", label="mean", marker=_marker(epochs))
    right.set(xlabel="epoch", ylabel="IoU on the validation frames", ylim=(0, 1))
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with complete_or_absent(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_transfer(
    runs: Mapping[str, pd.DataFrame], classes: Mapping[str, pd.Series], path: Path
) -> None:
    """Draw transfer learning beside training from scratch (the paper's figure 8a-c).

    Args:
        runs: Epochs of each training, as for `draw_curves`, by its name.
        classes: IoU of each class on the test frames by the class's name, for each training.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    colours = ["#0072b2", "#d55e00", "#009e73"]
    for (name, epochs), colour in zip(runs.items(), colours, strict=False):
        left.plot(epochs["minutes"], epochs["loss"], color=colour, label=name)
        middle.plot(epochs["minutes"], epochs["mean_iou"], color=colour, label=name)
    left.set(xlabel="minutes", ylabel="training loss", yscale="log")
    middle.set(xlabel="minutes", ylabel="mean IoU on the validation frames", ylim=(0, 1))
    _grouped_bars(right, classes, colours)
    right.set(ylabel="IoU on the test frames", ylim=(0, 1))
    left.legend(frameon=False)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    with complete_or_absent(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _grouped_bars(axes: Axes, values: Mapping[str, pd.Series], colours: list[str]) -> None:
    width = 0.8 / max(len(values), 1)
    for number, (series, colour) in enumerate(zip(values.values(), colours, strict=False)):
        places = np.arange(len(series)) + number * width - 0.4 + width / 2
        bars = axes.bar(places, series, width, color=colour)
        axes.bar_label(bars, [f"{value:.2f}" for value in series], fontsize=7)
        axes.set_xticks(range(len(series)), [str(name) for name in series.index])


def _marker(epochs: pd.DataFrame) -> str:
    """Return a marker for a line of one point, which could not be seen."""
    return "o" if len(epochs) == 1 else ""
