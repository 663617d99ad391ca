"""Show data sets, trainings and comparisons of networks, in tables and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amseg_keras.atomic import complete_or_absent
from amseg_keras.models.titles import TITLES
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


_NOTHING = "-"


def readable_table(table: pd.DataFrame) -> pd.DataFrame:
    """Format the table of a comparison as rounded texts, with the names of the paper.

    Args:
        table: A row for each network, with the columns of `comparison.Comparison.table`.

    Example:
        >>> row = {
        ...     "network": "amsegnet", "trainable_parameters": 17526064, "gmac": 22.9088,
        ...     "mean_iou": 0.961, "f1": 0.98, "iou_pore": float("nan"),
        ...     "training_s_per_frame": 0.8, "segmentation_ms_per_frame": 94.2,
        ...     "training_ratio": 0.212, "segmentation_ratio": 0.251,
        ... }
        >>> readable_table(pd.DataFrame([row])).T.to_dict()["AM-SegNet"]
        {'parameters': '17,526,064', 'GMAC': '22.909', 'mean IoU': '0.961', 'F1': '0.980',
         'IoU pore': '-', 'training, s/frame': '0.8 (0.21 x)',
         'segmentation, ms/frame': '94.2 (0.25 x)'}
    """
    shown = {
        "parameters": [f"{value:,}" for value in table["trainable_parameters"]],
        "GMAC": [f"{value:.3f}" for value in table["gmac"]],
        "mean IoU": [_score(value) for value in table["mean_iou"]],
        "F1": [_score(value) for value in table["f1"]],
    }
    for name in classes_of(table):
        shown[f"IoU {name}"] = [_score(value) for value in table[_PREFIX + name]]
    for title, times, ratios in (
        ("training, s/frame", "training_s_per_frame", "training_ratio"),
        ("segmentation, ms/frame", "segmentation_ms_per_frame", "segmentation_ratio"),
    ):
        pairs = zip(table[times], table[ratios], strict=True)
        shown[title] = [_time(*pair) for pair in pairs]
    names = pd.Index([TITLES[name] for name in table["network"]], name="network")
    return pd.DataFrame(shown, names)


def comparison_markdown(table: pd.DataFrame, conditions: Mapping[str, Any]) -> str:
    """Format the table of a comparison and its conditions as Markdown.

    Args:
        table: Table, as for `readable_table`.
        conditions: Conditions of `comparison.Comparison`.
    """
    shown = readable_table(table)
    head = ["network", *shown.columns]
    lines = [_row(head), _row(["---", *["---:"] * len(shown.columns)])]
    lines += [_row([str(name), *row]) for name, row in zip(shown.index, shown.values, strict=True)]
    notes = [f"- {note}" for note in _notes(table, conditions)]
    return "\n".join(["# Networks compared", "", *lines, "", *notes, ""])


def classes_of(table: pd.DataFrame) -> list[str]:
    """List the classes whose IoU a table has.

    Example:
        >>> classes_of(pd.DataFrame(columns=["mean_iou", "iou_keyhole", "iou_pore"]))
        ['keyhole', 'pore']
    """
    return [str(name).removeprefix(_PREFIX) for name in table if str(name).startswith(_PREFIX)]


def _notes(table: pd.DataFrame, conditions: Mapping[str, Any]) -> list[str]:
    compared = ", in brackets relative to U-Net in the same round"
    data, recipe, timing = (conditions[name] for name in ("data", "recipe", "timing"))
    frames = ", ".join(f"{count:,} {split}" for split, count in data["frames"].items())
    height, width = timing["shape"]
    cut = "whole" if recipe["shape"] is None else "cut to {} x {} pixels".format(*recipe["shape"])
    notes = [
        f"Data: {data['folder']}; frames: {frames}."
        + (f" {data['origin'].rstrip('.')}." if data["origin"] else ""),
        f"Training: {recipe['epochs']} epochs at most, {recipe['batch_size']} frames in a batch, "
        f"{cut}; learning rate {recipe['learning_rate']:g} ({recipe['annealing']}), augmentation "
        f"{recipe['augment'] or 'none'}, seed {recipe['seed']}; the same batches for all networks, "
        f"{conditions['precision']}. The weights are those of the epoch that is best on the "
        "validation frames; one training of each.",
        "IoU and F1 on the test frames, over all their pixels. GMAC: convolutions for a frame of "
        "256 x 512 pixels.",
        f"Times: medians over all rounds ({timing['rounds']}), in which the networks take turns"
        f"{compared if table['training_ratio'].notna().any() else ''}. A training step of "
        f"{timing['batch_size']} frames of {height} x {width} pixels, divided by their number; "
        f"segmentation of one such frame. {conditions['hardware']}.",
        "Made with " + ", ".join(f"{k} {v}" for k, v in conditions["versions"].items()) + ".",
    ]
    if data["split_by"] == "frame":
        notes.append(
            "The data set was split frame by frame: frames of one movie are nearly copies of each "
            "other, so that all networks score higher here than on new movies."
        )
    return notes


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _score(value: float) -> str:
    return _NOTHING if math.isnan(value) else f"{value:.3f}"


def _time(value: float, ratio: float) -> str:
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return shown + ("" if math.isnan(ratio) else f" ({ratio:.2f} x)")


@dataclass(frozen=True)
class _Look:
    """Colour, marker and line of a network, because colour alone would not be enough."""

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
    """Draw the paper's Figure 4a."""
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
    """Draw the paper's Figure 4d."""
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
    """Draw a group of bars for each class."""
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


def speed_markdown(table: pd.DataFrame, conditions: Mapping[str, Any]) -> str:
    """Format the table of speeds and its conditions as Markdown.

    Args:
        table: Table from `comparison.speed.summarise_speed`.
        conditions: `rounds`, `hardware`, `versions`, `peaks` (1e9 operations a second of each
            precision) and `notes` of the engines.
    """
    names = ["network", "engine", "precision", "frame"]
    numbers = ["batch", "ms/frame", "faster", "GMAC/s", "of the peak"]
    lines = [_row(names + numbers), _row(["---"] * len(names) + ["---:"] * len(numbers))]
    for _, row in table.iterrows():
        names = [TITLES[row["network"]], row["engine"], row["precision"]]
        size = [f"{row['height']} x {row['width']}", str(row["batch"])]
        speed = [f"{row['ms_per_frame']:.3g}", _or_nothing(row["faster"], "{:.1f} x")]
        work = [f"{row['gmac_per_second']:.0f}", _or_nothing(row["of_peak"], "{:.0%}")]
        lines.append(_row(names + size + speed + work))
    notes = [
        f"Medians of {conditions['rounds']} rounds in which all take turns; *faster* than Keras' "
        "predict of AM-SegNet on the same frames, within rounds.",
        "GMAC of the network as the paper draws it, whatever the engine makes of it."
        + _peaks(conditions),
        *conditions["notes"],
        f"{conditions['hardware']}. Made with "
        + ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
        + ".",
    ]
    return "\n".join(["# Speed", "", *lines, "", *(f"- {note}" for note in notes), ""])


def _peaks(conditions: Mapping[str, Any]) -> str:
    peaks = ", ".join(f"{value:.0f} in {name}" for name, value in conditions["peaks"].items())
    if not peaks:
        return ""
    return (
        " The peak is a large matrix product, the fastest of these rounds: "
        f"{peaks} (1e9 operations a second)."
    )


def _or_nothing(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)
