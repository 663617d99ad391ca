"""Many quantified experiments, brought together into one output folder.

experiments.csv, .parquet     one row for each experiment; Parquet if pyarrow is there
correlation.png, .pdf         histograms and correlation maps, as the paper's figure 7
power_speed.png, .pdf         laser power against scan speed, where they are known
Y_against_X.png, .pdf         a correlation map of two columns of the user's choice
correlation.json              all numbers, and what was done with what; written last
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras._on_demand import is_installed
from amseg_keras.atomic import complete_or_absent
from amseg_keras.json_values import json_value
from amseg_keras.outputs import OutputFiles, OutputFolder, RunIdentity, input_place
from amseg_keras.quantify.study import (
    Plane,
    Study,
    experiments_table,
    keyhole_frames,
    study_experiments,
)
from amseg_keras.read import ReadError
from amseg_keras.runs.experiments import ManyExperiments
from amseg_keras.versions import package_versions

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
    """What the user chose.

    Attributes:
        plane: columns x and y of one more correlation map; None for none.
        title: over every figure, for example that the experiments are simulated.
        overwrite: replace the result of other experiments.
    """

    plane: tuple[str, str] | None = None
    title: str = ""
    overwrite: bool = False


def run_correlation(
    experiments: ManyExperiments, source: Sequence[str], folder: Path, settings: CorrelateSettings
) -> Study:
    """Correlate the experiments and write all files of the folder.

    The same experiments in the same folder are correlated anew: they may have been measured anew.

    Args:
        experiments: from `read_experiments`.
        source: where they are from, for the record.
        folder: where to.
        settings: the user's.

    Returns:
        What was found, with the notes of `experiments` before its own.

    Raises:
        OutputTakenError: the folder holds another result, or a table of somebody else's, and
            `settings.overwrite` is off.
        ReadError: a column of `settings.plane` is not in the table, or holds no numbers.
    """
    places = [input_place(Path(one), folder).from_output for one in source]
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
    # One kind of value a column is what Parquet holds; a mixed one becomes text.
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
    from amseg_keras.report.figure_files import save_figure
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
    """Everything that was found, for JSON."""
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
    """How many experiments show any pore; nothing where an earlier version measured."""
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
