"""Correlate many quantified experiments with their process parameters, in one output folder.

experiments.csv, .parquet     one row for each experiment; Parquet if pyarrow is there
correlation.png, .pdf         histograms and correlation maps, as the paper's figure 7
power_speed.png, .pdf         laser power against scan speed, where they are known
Y_against_X.png, .pdf         a correlation map of two columns of the user's choice
correlation.json              all numbers, experiments and settings; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras._on_demand import is_installed
from amseg_keras.atomic import complete_or_absent
from amseg_keras.json_values import json_value
from amseg_keras.outputs import OutputFiles, OutputFolder, RunIdentity, input_place
from amseg_keras.quantify.scale import ASSUMED, SIZE_FROM
from amseg_keras.quantify.study import (
    Plane,
    Study,
    experiments_table,
    keyhole_frames,
    largest_keyhole_pore,
    study_experiments,
)
from amseg_keras.read.errors import ReadError, reading
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.quantify import FOLDER, check_labels_unchanged
from amseg_keras.runs.quantify import RECORD as QUANTIFIED
from amseg_keras.runs.segment import RECORD as SEGMENTED
from amseg_keras.versions import package_versions

_FRAMES = "frames.csv"
_TRACKS = "tracks.csv"
_RUN = "run"
_NUMBERS = ("power_W", "speed_mm_s")


@dataclass(frozen=True)
class ManyExperiments:
    """Quantified experiments; the names of the experiments are the keys of each mapping.

    Attributes:
        summaries: `Quantities.summary`, with `largest_keyhole_pore`.
        frames: `Quantities.frames`.
        parameters: known process parameters.
        errors: sentence for each folder that could not be read.
        notes: sentence for each thing that the user should know.
    """

    summaries: Mapping[str, Mapping[str, Any]]
    frames: Mapping[str, pd.DataFrame]
    parameters: Mapping[str, Mapping[str, Any]]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_experiments(
    folders: Sequence[Path], parameters: Mapping[str, dict[str, Any]] | None = None
) -> ManyExperiments:
    """Read folders of `amseg quantify`, or folders of `amseg segment` that contain them.

    An experiment has the name of its folder, or of the folder of the segmented stack. Equal names
    are replaced by paths.

    Args:
        parameters: process parameters, from `read_parameters`; they replace those in a folder.

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
    if assumed := [name for name, summary in summaries.items() if SIZE_FROM in summary]:
        notes.append(f"nobody measured the pixel size of {', '.join(assumed)}: it is assumed")
    if given:
        notes.append(f"parameters of no experiment here: {', '.join(given)}")
    if parameters is not None and (missing := [name for name in merged if name not in parameters]):
        notes.append(f"not in the table of parameters: {', '.join(missing)}")
    return ManyExperiments(summaries, frames, merged, tuple(errors), tuple(notes))


def read_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Read process parameters of each run from a table with a column `run`.

    The first line decides whether commas, tabs or semicolons separate the columns. Empty cells
    are left out.

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
    if (folder / FOLDER / QUANTIFIED).exists():
        folder = folder / FOLDER
    if not (folder / QUANTIFIED).exists():
        raise ReadError(f"{folder}: is not quantified yet; run: amseg quantify {folder}")
    with reading(str(folder / QUANTIFIED), "JSON"):
        record = json.loads((folder / QUANTIFIED).read_text("utf-8"))
        if folder.name == FOLDER and (folder.parent / SEGMENTED).is_file():
            run = open_labelled_run(folder.parent)
            check_labels_unchanged(record, run.labels_content, run.folder)
        # An old or strange file must fail here, where the sentence names the file.
        record["summary"]["pores_from_keyhole"]
        if record.get("pixel_size_from") == "preset":  # earlier versions assumed it by default
            record["summary"][SIZE_FROM] = ASSUMED
    with reading(str(folder / _TRACKS), "table of tracks"):
        record["summary"] |= largest_keyhole_pore(pd.read_csv(folder / _TRACKS))
    with reading(str(folder / _FRAMES), "table of frames"):
        return record, pd.read_csv(folder / _FRAMES).astype({"keyhole_area_px": float})


def _plain_ones(parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep the parameters that a cell of a table can hold."""
    return {
        name: value
        for name, value in parameters.items()
        if isinstance(value, str | int | float) and value != ""
    }


RECORD = "correlation.json"
_TABLE = "experiments.csv"

OUTPUTS = OutputFiles(
    "amseg correlate",
    RECORD,
    (
        *(_TABLE, "experiments.parquet", "correlation.png", "correlation.pdf"),
        *("power_speed.png", "power_speed.pdf", "*_against_*.png", "*_against_*.pdf"),
    ),
    {_TABLE: ("experiment", "has_pores")},
)


@dataclass(frozen=True)
class CorrelateSettings:
    """Settings of a correlation.

    Attributes:
        plane: columns x and y of a further correlation map, or None.
        title: title of every figure, for example that the experiments are simulated.
        overwrite: replace the result of other experiments.
    """

    plane: tuple[str, str] | None = None
    title: str = ""
    overwrite: bool = False


def run_correlation(
    experiments: ManyExperiments, source: Sequence[str], folder: Path, settings: CorrelateSettings
) -> Study:
    """Correlate the experiments and write all files of the folder.

    The same experiments are correlated again, because they may have been measured again.

    Args:
        experiments: experiments, from `read_experiments`.

    Returns:
        The study, with the notes of `experiments` before its own.

    Raises:
        OutputTakenError: the folder holds another result, or a table of another program, and
            `settings.overwrite` is off.
        ReadError: a column of `settings.plane` is not in the table, or holds no numbers.
    """
    places = [input_place(Path(run), folder).from_output for run in source]
    identity = RunIdentity(_shortened(source), None, settings={"runs_from_here": places})
    with OutputFolder(folder, OUTPUTS, settings.overwrite) as out:
        out.check(identity, redo=True)
        table = experiments_table(experiments.summaries, experiments.parameters)
        try:
            study = study_experiments(table, () if settings.plane is None else (settings.plane,))
        except ValueError as error:
            raise ReadError(str(error)) from error
        study = replace(study, notes=(*experiments.notes, *study.notes))
        out.begin(identity, redo=True)
        outputs = [
            *_write_table(folder, study.table),
            *_write_figures(folder, experiments, study, settings.title),
            RECORD,
        ]
        out.finish({"runs": list(source), **_numbers(experiments, study), "outputs": outputs})
        return study


def _write_table(folder: Path, table: pd.DataFrame) -> list[str]:
    # A column of Parquet has one type; mixed columns become text.
    texts = {
        name: table[name].map(str, na_action="ignore") for name in table.select_dtypes("object")
    }
    with complete_or_absent(folder / _TABLE) as temporary:
        table.to_csv(temporary, index=False)
    if not is_installed("pyarrow"):
        return [_TABLE]
    with complete_or_absent(folder / "experiments.parquet") as temporary:
        table.assign(**texts).to_parquet(temporary, index=False)
    return [_TABLE, "experiments.parquet"]


def _write_figures(
    folder: Path, experiments: ManyExperiments, study: Study, title: str
) -> list[str]:
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.experiment.look import save_figure
    from amseg_keras.report.study import plane_figure, process_map, study_figure

    frames = keyhole_frames(experiments.frames, study.table)
    figures = {
        "correlation": study_figure(study.table, frames, (study.planes[0], study.planes[1]), title)
    }
    process = study.table.reindex(columns=["power_W", "speed_mm_s"])
    if process.notna().all(axis=1).any():
        figures["power_speed"] = process_map(study.table, title)
    for plane in study.planes[2:]:
        figures[f"{plane.y}_against_{plane.x}"] = plane_figure(study.table, plane, title)
    return [
        path.name for name, figure in figures.items() for path in save_figure(figure, folder / name)
    ]


def _numbers(experiments: ManyExperiments, study: Study) -> dict[str, Any]:
    """Return all results for JSON."""
    has_pores = study.table["has_pores"]
    return {
        "experiments": {
            "all": len(study.table),
            "with_pores": int(has_pores.sum()),
            "without_pores": int((~has_pores).sum()),
            **_present(study.table),
        },
        "with_pores_means": "with pores formed at the keyhole",
        "correlations": json_value(
            study.correlations.dropna(how="all", subset=["pearson", "spearman"]).to_dict("records")
        ),
        "planes": [_plane_numbers(plane) for plane in study.planes],
        "notes": list(study.notes),
        "unreadable_runs": list(experiments.errors),
        "versions": package_versions("pandas", "scipy"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _present(table: pd.DataFrame) -> dict[str, int]:
    """Count the experiments with any pore; earlier versions did not measure this."""
    if "pores_present" not in table:
        return {}
    return {"with_pores_present": int((table["pores_present"] > 0).sum())}


def _plane_numbers(plane: Plane) -> dict[str, Any]:
    numbers = asdict(plane)
    if plane.line is not None:
        upright = plane.line.log_odds[1] == 0
        numbers["line"] |= {
            "slope": None if upright else plane.line.slope,
            "offset": None if upright else plane.line.offset,
        }
    return numbers


def _shortened(source: Sequence[str]) -> str:
    return source[0] if len(source) == 1 else f"{source[0]} and {len(source) - 1} more"
