"""What a data set holds, as in the paper's figure 2c and d."""

from __future__ import annotations

from collections.abc import Sequence
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
        frames: From `datasets.statistics.count_frames`; its index names the bars.
        shares: From `datasets.statistics.class_shares`.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    height = 1.4 + 0.36 * max(len(frames), len(shares))
    # A figure of its own, not pyplot's: that works in threads and without a display.
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
    # The number at the bar says what a bar too short to see cannot.
    axes.bar_label(bars, list(texts), padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 1 or value == 0 else f"{value:.2g} %"
