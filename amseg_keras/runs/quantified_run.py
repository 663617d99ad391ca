"""The result of `amseg quantify`, read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras.outputs import InputContent
from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import ASSUMED, Scale
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

FOLDER = "quantities"
"""Below the folder of the run."""

RECORD = "quantities.json"

BOUNDARY = "melt_pool_boundary.csv"
"""Boundary of the melt pool; only there if it is a class."""

TABLES = {
    "frames": ("frame", "keyhole_area_px", "keyhole_depth_px", "pore_area_px", "surface_y_px"),
    "pores": ("frame", "track", "pore_area_px", "equivalent_diameter_px"),
    "tracks": ("track", "first_frame", "largest_area_px", "from_keyhole"),
    "events": ("frame", "event", "from_keyhole"),
}
"""Columns that tell a table of `amseg quantify` from another of its name."""


def check_labels_unchanged(
    record: Mapping[str, Any], labels: Callable[[], InputContent], run: Path
) -> None:
    """Refuse quantities of labels that were corrected, or segmented anew, since.

    Args:
        record: Record of `amseg quantify`.
        labels: Tells the content of the label files as they are now.
        run: Folder of `amseg segment`.

    Raises:
        ReadError: The quantities are not those of the labels.
    """
    measured = record.get("labels")
    if measured is None:  # measured by an earlier version, or on labels of no run
        return
    if labels().difference(measured, str(run)) is not None:
        raise ReadError(f"{run}: its labels changed since they were measured; {_again(run)}")


def read_quantities(run: Path, frames: int) -> tuple[Quantities, dict[str, Any]]:
    """Read what was measured in a run.

    Args:
        run: Folder of `amseg segment`, in which `amseg quantify` has put its tables.
        frames: Number of frames of the run.

    Returns:
        The quantities, and the record of how they were measured.

    Raises:
        ReadError: There are none yet, they are damaged, or of another stack.

    Example:
        >>> read_quantities(Path("x"), 60)
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: x: is not quantified yet; run: amseg quantify x
    """
    folder = run / FOLDER
    if not (folder / RECORD).is_file():
        raise ReadError(f"{run}: is not quantified yet; run: amseg quantify {run}")
    with reading(str(folder / RECORD), "JSON"):
        record = json.loads((folder / RECORD).read_text("utf-8"))
        summary, scale = dict(record["summary"]), record["scale"]
        # Earlier versions said "preset", and assumed it unasked.
        assumed = record.get("pixel_size_from") in (ASSUMED, "preset")
        known = Scale(scale["pixel_size_um"], scale["frame_rate_hz"], assumed)
        direction = record["scan_direction"]
    tables = {}
    for name, columns in TABLES.items():
        path = folder / f"{name}.csv"
        with reading(str(path), "table"):
            tables[name] = pd.read_csv(path)
        missing = [column for column in columns if column not in tables[name]]
        if missing:
            raise ReadError(f"{path}: has no column {', '.join(missing)}; {_again(run)}")
    last = tables["frames"]["frame"].max()
    if not 0 <= last < frames:
        raise ReadError(f"{folder}: is of another stack (frame {last} of {frames}); {_again(run)}")
    boundary = None
    if (folder / BOUNDARY).is_file():
        with reading(str(folder / BOUNDARY), "table"):
            boundary = pd.read_csv(folder / BOUNDARY)
    found = Quantities(
        **tables, summary=summary, scale=known, scan_direction=direction, boundary=boundary
    )
    return found, record


def _again(run: Path) -> str:
    return f"run again: amseg quantify {run}"
