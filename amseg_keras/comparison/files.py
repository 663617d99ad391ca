"""The files of a comparison."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.comparison.compare import Comparison
from amseg_keras.outputs import write_json
from amseg_keras.plain_json import plain
from amseg_keras.report.comparison_figure import draw_comparison
from amseg_keras.report.comparison_table import comparison_markdown


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

    Example:
        >>> import tempfile
        >>> from dataclasses import asdict
        >>> from amseg_keras.comparison import Timing
        >>> from amseg_keras.training import Recipe
        >>> table = pd.DataFrame([{
        ...     "network": "unet", "trainable_parameters": 31389839, "gmac": 109.0,
        ...     "mean_iou": 0.8, "f1": 0.9, "iou_pore": 0.7, "training_s_per_frame": 3.0,
        ...     "segmentation_ms_per_frame": 300.0, "training_ratio": 1.0,
        ...     "segmentation_ratio": 1.0,
        ... }])
        >>> curves = pd.DataFrame([{"network": "unet", "epoch": 0, "minutes": 20.0,
        ...                         "mean_iou": 0.6}])
        >>> frames = {"train": 80, "validation": 10, "test": 10}
        >>> conditions = {
        ...     "data": {"folder": "esrf", "origin": "", "split_by": "sequence", "frames": frames},
        ...     "recipe": asdict(Recipe()), "timing": asdict(Timing()), "precision": "float32",
        ...     "hardware": "2 cores", "versions": {"keras": "3.15.1"},
        ... }
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_comparison(Comparison(table, curves, conditions), folder)
        >>> sorted(path.name for path in folder.iterdir())
        ['curves.csv', 'networks.csv', 'networks.json', 'networks.md', 'networks.png']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "networks.csv", comparison.table)
    _write_csv(folder / "curves.csv", comparison.curves)
    with complete_or_absent(folder / "networks.md") as temporary:
        text = comparison_markdown(comparison.table, comparison.conditions)
        temporary.write_text(text, "utf-8")
    draw_comparison(comparison.table, comparison.curves, folder / "networks.png")
    write_json(
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
