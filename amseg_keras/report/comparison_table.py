"""Networks compared, as a table to be read (the paper's Table 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from amseg_keras.models.titles import TITLES

_PREFIX = "iou_"
_NOTHING = "-"


def readable_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a comparison as texts, rounded, with the names of the paper.

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
    """The table of a comparison with the conditions that it was made under, as Markdown.

    Args:
        table: As for `readable_table`.
        conditions: Of `comparison.Comparison`.
    """
    shown = readable_table(table)
    head = ["network", *shown.columns]
    lines = [_row(head), _row(["---", *["---:"] * len(shown.columns)])]
    lines += [_row([str(name), *row]) for name, row in zip(shown.index, shown.values, strict=True)]
    notes = [f"- {note}" for note in _notes(table, conditions)]
    return "\n".join(["# Networks compared", "", *lines, "", *notes, ""])


def classes_of(table: pd.DataFrame) -> list[str]:
    """Names of the classes whose IoU a table has.

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
