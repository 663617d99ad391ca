"""The folders of many quantified experiments, read together with their process parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras.json_values import json_value
from amseg_keras.quantify.study import largest_keyhole_pore
from amseg_keras.read.errors import ReadError, reading
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.quantified_run import FOLDER, RECORD, check_labels_unchanged
from amseg_keras.runs.segment import RECORD as SEGMENTED

_FRAMES = "frames.csv"
_TRACKS = "tracks.csv"
_RUN = "run"
_NUMBERS = ("power_W", "speed_mm_s")


@dataclass(frozen=True)
class ManyExperiments:
    """Experiments that were quantified; each mapping is by the experiment's name.

    Attributes:
        summaries: `Quantities.summary`, with `largest_keyhole_pore`.
        frames: `Quantities.frames`.
        parameters: process parameters, where there are any.
        errors: one sentence for each folder that could not be read.
        notes: one sentence for each thing that the user should know.
    """

    summaries: Mapping[str, Mapping[str, Any]]
    frames: Mapping[str, pd.DataFrame]
    parameters: Mapping[str, Mapping[str, Any]]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_experiments(
    folders: Sequence[Path], parameters: Mapping[str, dict[str, Any]] | None = None
) -> ManyExperiments:
    """Read folders that `amseg quantify` wrote, or those of `amseg segment` that hold them.

    An experiment is named as its folder, or as that of the segmented stack which the quantities
    are in; where two have one name, as its path.

    Args:
        folders: of the experiments.
        parameters: of the experiments, from `read_parameters`; they go before those that a folder
            itself tells of.

    Raises:
        ReadError: no folder can be read.
    """
    given = dict(parameters or {})
    summaries, frames, merged, errors, models = {}, {}, {}, [], set()
    for name, folder in _named(folders).items():
        try:
            record, table = _read_folder(folder)
        except ReadError as error:
            errors.append(str(error))
            continue
        summaries[name], frames[name] = record["summary"], table
        merged[name] = _plain_ones(record.get("parameters") or {}) | given.pop(name, {})
        models.add(str(record.get("model") or "labels of no network"))
    if not summaries:
        raise ReadError(f"no experiment left of {len(folders)}; {'; '.join(errors)}")
    notes = []
    if len(models) > 1:
        notes.append(
            f"the labels are of different origin ({', '.join(sorted(models))}), so that "
            "differences between experiments may be those of the labels"
        )
    if given:
        notes.append(f"parameters of no experiment here: {', '.join(given)}")
    if parameters is not None and (missing := [name for name in merged if name not in parameters]):
        notes.append(f"not in the table of parameters: {', '.join(missing)}")
    return ManyExperiments(summaries, frames, merged, tuple(errors), tuple(notes))


def read_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Process parameters of each run, by its name, from a table with a column `run`.

    Commas, tabs or semicolons part the columns, whichever the first line is parted by. Empty
    cells are left out.

    Raises:
        ReadError: the table cannot be read, has no column `run`, a run twice, or a power or speed
            that is no number.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "parameters.csv"
        >>> _ = path.write_text("run,material,power_W\\nscan_01,Ti6Al4V,300\\nscan_02,,250\\n")
        >>> read_parameters(path)
        {'scan_01': {'material': 'Ti6Al4V', 'power_W': 300}, 'scan_02': {'power_W': 250}}
    """
    with reading(str(path), "table"):
        header = path.read_text("utf-8-sig").partition("\n")[0]
        separator = max(",\t;", key=header.count)
        table = pd.read_csv(
            path, sep=separator, encoding="utf-8-sig", dtype={_RUN: str}, skipinitialspace=True
        )
    table.columns = table.columns.str.strip()
    if _RUN not in table:
        raise ReadError(
            f"{path}: has no column {_RUN} but {', '.join(map(str, table))}; name the folder of "
            f"each experiment in a column {_RUN}"
        )
    names = table[_RUN].str.strip()
    if names.duplicated().any():
        raise ReadError(
            f"{path}: has the run {names[names.duplicated()].iloc[0]} twice; leave one of them out"
        )
    for name in _NUMBERS:
        if name in table and not pd.api.types.is_numeric_dtype(table[name]):
            raise ReadError(
                f"{path}: not every {name} is a number; write numbers alone, with a decimal point"
            )
    rows = table.drop(columns=_RUN).to_dict("records")
    return {
        name: _plain_ones(json_value({str(key): value for key, value in row.items()}))
        for name, row in zip(names, rows, strict=True)
        if isinstance(name, str)
    }


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    runs = [folder.resolve() for folder in folders]
    names = [run.parent.name if run.name == FOLDER else run.name for run in runs]
    return {
        name if names.count(name) == 1 else str(folder): folder
        for name, folder in zip(names, folders, strict=True)
    }


def _read_folder(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    if not folder.is_dir():
        raise ReadError(f"{folder}: no such folder; give folders that amseg quantify wrote")
    if (folder / FOLDER / RECORD).exists():
        folder = folder / FOLDER
    if not (folder / RECORD).exists():
        raise ReadError(f"{folder}: is not quantified yet; run: amseg quantify {folder}")
    with reading(str(folder / RECORD), "JSON"):
        record = json.loads((folder / RECORD).read_text("utf-8"))
        if folder.name == FOLDER and (folder.parent / SEGMENTED).is_file():
            run = open_labelled_run(folder.parent)
            check_labels_unchanged(record, run.labels_content, run.folder)
        # Before the next folder: an old or strange file is to be named by this sentence.
        record["summary"]["pores_from_keyhole"]
    with reading(str(folder / _TRACKS), "table of tracks"):
        record["summary"] |= largest_keyhole_pore(pd.read_csv(folder / _TRACKS))
    with reading(str(folder / _FRAMES), "table of frames"):
        return record, pd.read_csv(folder / _FRAMES).astype({"keyhole_area_px": float})


def _plain_ones(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a cell of a table can hold."""
    return {
        name: value
        for name, value in parameters.items()
        if isinstance(value, str | int | float) and value != ""
    }
