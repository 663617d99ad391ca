"""Speeds of networks and engines, as a table to be read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from amseg_keras.models.titles import TITLES


def speed_markdown(table: pd.DataFrame, conditions: Mapping[str, Any]) -> str:
    """The table with the conditions that it was made under, as Markdown.

    Args:
        table: From `comparison.speed.summarise_speed`.
        conditions: `rounds`, `hardware`, `versions`, `peaks` (1e9 operations a second of each
            precision) and `notes` of the engines.
    """
    said = ["network", "engine", "precision", "frame"]
    numbers = ["batch", "ms/frame", "faster", "GMAC/s", "of the peak"]
    lines = [_row(said + numbers), _row(["---"] * len(said) + ["---:"] * len(numbers))]
    for _, row in table.iterrows():
        lines.append(
            _row(
                [
                    TITLES[row["network"]],
                    row["engine"],
                    row["precision"],
                    f"{row['height']} x {row['width']}",
                    str(row["batch"]),
                    f"{row['ms_per_frame']:.3g}",
                    _or_nothing(row["faster"], "{:.1f} x"),
                    f"{row['gmac_per_second']:.0f}",
                    _or_nothing(row["of_peak"], "{:.0%}"),
                ]
            )
        )
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
    found = ", ".join(f"{value:.0f} in {name}" for name, value in conditions["peaks"].items())
    if not found:
        return ""
    return (
        " The peak is a large matrix product, the fastest of these rounds: "
        f"{found} (1e9 operations a second)."
    )


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _or_nothing(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)
