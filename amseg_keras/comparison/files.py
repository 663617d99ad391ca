"""The files of a comparison."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.comparison.compare import Comparison
from amseg_keras.plain_json import plain
from amseg_keras.report.comparison_figure import draw_comparison
from amseg_keras.report.comparison_table import comparison_markdown
from amseg_keras.runs.record import write_record


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str]) -> None:
    """Write tables and plots.

    networks.csv    the table, all digits
    networks.md     the same to be read, with the conditions
    networks.json   the same with the conditions, null for a score that is not there
    curves.csv      mean IoU on the validation frames after each epoch
    networks.png    IoU against segmentation time, per class, and against training time

    Args:
        comparison: From `compare_networks`.
        folder: Made if it is not there; earlier files of these names are replaced.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "networks.csv", comparison.table)
    _write_csv(folder / "curves.csv", comparison.curves)
    with complete_or_absent(folder / "networks.md") as temporary:
        text = comparison_markdown(comparison.table, comparison.conditions)
        temporary.write_text(text, "utf-8")
    draw_comparison(comparison.table, comparison.curves, folder / "networks.png")
    write_record(
        folder / "networks.json",
        {
            "networks": plain(comparison.table.to_dict("records")),
            "conditions": comparison.conditions,
            "unreadable_frames": list(comparison.errors),
        },
    )


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with complete_or_absent(path) as temporary:
        table.to_csv(temporary, index=False)
