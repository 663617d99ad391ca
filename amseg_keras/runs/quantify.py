"""Measure the label maps of one experiment, into one output folder.

frames.csv, .parquet     keyhole, surface and pores of every frame; Parquet if pyarrow is there
pores.csv, .parquet      every pore of every frame
tracks.csv, .parquet     every pore through time
events.csv, .parquet     when pores were formed and when they ended
melt_pool_boundary.csv   boundary between liquid and solid, of networks that see the melt pool
time_series.png, .pdf    keyhole, melt pool and pores over time
quantities.json          the experiment in a few numbers, and how they were measured; written last
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras._on_demand import is_installed
from amseg_keras.atomic import complete_or_absent
from amseg_keras.json_values import json_value
from amseg_keras.outputs import InputContent, OutputFiles, OutputFolder, RunIdentity, input_place
from amseg_keras.quantify import Phantoms, Quantities, Scale, find_phantoms, measure
from amseg_keras.quantify.intervals import SOURCE
from amseg_keras.quantify.quantities import SMALLEST_PORE_UM
from amseg_keras.quantify.scale import ASSUMED
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.runs.labelled_experiment import LabelledExperiment
from amseg_keras.runs.streams import with_progress
from amseg_keras.versions import package_versions

FOLDER = "quantities"
"""Folder of the tables in the folder of a run."""

RECORD = "quantities.json"

BOUNDARY = "melt_pool_boundary.csv"
"""Table of the boundary of the melt pool, if the melt pool is a class."""

TABLES = {
    "frames": ("frame", "keyhole_area_px", "keyhole_depth_px", "pore_area_px", "surface_y_px"),
    "pores": ("frame", "track", "pore_area_px", "equivalent_diameter_px"),
    "tracks": ("track", "first_frame", "largest_area_px", "from_keyhole"),
    "events": ("frame", "event", "from_keyhole"),
}
"""Columns by which a table of `amseg quantify` is told from another table of its name."""


def check_labels_unchanged(
    record: Mapping[str, Any], labels: Callable[[], InputContent], run: Path
) -> None:
    """Refuse quantities of labels that were corrected or replaced since.

    Args:
        record: Record of `amseg quantify`.
        labels: Function that digests the label files as they are now.
        run: Folder of `amseg segment`.

    Raises:
        ReadError: The labels changed.
    """
    measured = record.get("labels")
    if measured is None:  # measured by an earlier version, or on labels of no run
        return
    if labels().difference(measured, str(run)) is not None:
        raise ReadError(f"{run}: its labels changed since they were measured; {_again(run)}")


def read_quantities(run: Path, frames: int) -> tuple[Quantities, dict[str, Any]]:
    """Read the quantities of a run.

    Args:
        run: Folder of `amseg segment` with the tables of `amseg quantify`.

    Returns:
        The quantities and their record.

    Raises:
        ReadError: The quantities are missing, damaged, or of another stack.

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
        # Earlier versions wrote "preset", and assumed the pixel size by default.
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
    quantities = Quantities(
        **tables, summary=summary, scale=known, scan_direction=direction, boundary=boundary
    )
    return quantities, record


def _again(run: Path) -> str:
    return f"run again: amseg quantify {run}"


OUTPUTS = OutputFiles(
    "amseg quantify",
    RECORD,
    (
        *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")),
        *(BOUNDARY, "time_series.png", "time_series.pdf"),
    ),
    {f"{name}.csv": columns for name, columns in TABLES.items()},
)

Progress = Callable[[int], None]
"""Function of the number of measured frames."""


@dataclass(frozen=True)
class QuantifySettings:
    """Settings of a measurement.

    Attributes:
        pixel_size_um: Size of a pixel in um; by default the pixel size of the labels.
        frame_rate_hz: Frames per second; by default the frame rate of the labels.
        scan_direction: +1 to the right, -1 to the left; by default from the keyhole's motion.
        smallest_pore_um: Equivalent diameter in um below which a pore is a speckle.
        parameters: Process parameters for `amseg correlate`; they replace known ones.
        overwrite: Replace the result of other labels.
        absent: Classes that the labels do not have, as in `measure`.
        assume_pixel_size: Without a pixel size, take the pixel size of the training frames and
            mark results in um as assumed.
        all_keyholes: Keep pieces of keyhole that no laser can have made (see `find_phantoms`).
    """

    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    scan_direction: int | None = None
    smallest_pore_um: float = SMALLEST_PORE_UM
    parameters: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    absent: tuple[str, ...] = ()
    assume_pixel_size: bool = False
    all_keyholes: bool = False


def quantify_experiment(
    experiment: LabelledExperiment,
    folder: Path,
    settings: QuantifySettings,
    progress: Progress = lambda done: None,
) -> Quantities:
    """Measure an experiment and write all files of its folder.

    Quantities of the same labels are measured again, because the labels may have been corrected.

    Returns:
        The quantities.

    Raises:
        OutputTakenError: The folder holds the result of other labels and `settings.overwrite` is
            off.
        ReadError: The label maps cannot be read, or there is none.
    """
    identity = RunIdentity(
        experiment.source, input_place(experiment.place, folder), settings={"part": experiment.part}
    )
    with OutputFolder(folder, OUTPUTS, settings.overwrite) as out:
        out.check(identity, redo=True)
        found, record = _measure(experiment, settings, progress)
        out.begin(identity, redo=True)
        names = [*_write_tables(folder, found), *_write_figure(folder, found, experiment), RECORD]
        out.finish(record | {"outputs": names})
        return found


def _measure(
    experiment: LabelledExperiment, settings: QuantifySettings, progress: Progress
) -> tuple[Quantities, dict[str, Any]]:
    """Measure an experiment, and describe the measurement for the record."""
    size, size_from = _pixel_size(experiment, settings)
    rate = settings.frame_rate_hz or experiment.frame_rate_hz
    scale = Scale(size, rate, pixel_size_assumed=size_from == ASSUMED)
    # Before measuring, so that labels that change meanwhile are noticed.
    labels = None if experiment.labels is None else experiment.labels()
    bounds = experiment.bounds()
    notes = list(experiment.notes)
    phantoms = None
    if not settings.all_keyholes and experiment.count > 1:
        phantoms = find_phantoms(experiment.frames(), experiment.class_names)
        notes += phantom_note(phantoms)
    try:
        found = measure(
            with_progress(experiment.frames(), progress),
            experiment.class_names,
            scale,
            scan_direction=settings.scan_direction,
            smallest_pore_um=settings.smallest_pore_um,
            absent=settings.absent,
            bounds=bounds,
            phantoms=phantoms,
        )
    except ValueError as error:
        raise ReadError(f"{experiment.source}: {error}") from error
    if found.frames.empty:
        raise ReadError(f"{experiment.source}: holds no readable label map")
    if bounds and SOURCE not in found.frames:
        notes.append("no intervals: the labels were corrected since they were segmented")
    record = {
        "class_names": list(experiment.class_names),
        **experiment.about,
        "labels": None if labels is None else asdict(labels),
        "frames": experiment.count,
        "summary": found.summary,
        "scale": {"pixel_size_um": scale.pixel_size_um, "frame_rate_hz": scale.frame_rate_hz},
        "pixel_size_from": size_from,
        "scan_direction": found.scan_direction,
        "scan_direction_from": _direction_from(found, settings),
        "smallest_pore_um": settings.smallest_pore_um,
        "phantoms": None if phantoms is None else phantoms.record(),
        "notes": notes,
        "parameters": {**experiment.parameters, **settings.parameters},
        "versions": package_versions("numpy", "pandas", "scipy"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return found, json_value(record)


def phantom_note(phantoms: Phantoms) -> list[str]:
    """Return a sentence on the pieces of keyhole that were left out, or nothing."""
    counted = phantoms.record()
    pieces, frames = counted["pieces_removed"], counted["frames_changed"]
    if not pieces:
        return []
    return [
        f"{pieces} pieces of keyhole in {frames} frames were left out: a laser makes one keyhole "
        "at a time, and these stand still beside it, move against it or are far from its path; "
        "keep them with --all-keyholes"
    ]


def _pixel_size(
    experiment: LabelledExperiment, settings: QuantifySettings
) -> tuple[float | None, str | None]:
    if settings.pixel_size_um is not None:
        return settings.pixel_size_um, "user"
    if experiment.pixel_size_um is not None or not settings.assume_pixel_size:
        return experiment.pixel_size_um, experiment.pixel_size_from
    if experiment.trained_pixel_size_um is None:
        raise ReadError(
            f"{experiment.source}: no pixel size can be assumed, because no network with a known "
            "one made these labels; give --pixel-size"
        )
    return experiment.trained_pixel_size_um, ASSUMED


def _direction_from(found: Quantities, settings: QuantifySettings) -> str | None:
    if found.scan_direction is None:
        return None
    return "user" if settings.scan_direction else "motion of the keyhole"


def _write_tables(folder: Path, found: Quantities) -> list[str]:
    names = []
    for name in TABLES:
        table = getattr(found, name)
        for ending in ("csv", "parquet") if is_installed("pyarrow") else ("csv",):
            names.append(f"{name}.{ending}")
            with complete_or_absent(folder / names[-1]) as temporary:
                if ending == "csv":
                    table.to_csv(temporary, index=False, float_format="%.6g")
                else:
                    table.to_parquet(temporary, index=False)
    if found.boundary is not None:
        names.append(BOUNDARY)
        with complete_or_absent(folder / BOUNDARY) as temporary:
            found.boundary.to_csv(temporary, index=False, float_format="%.6g")
    return names


def _write_figure(folder: Path, found: Quantities, experiment: LabelledExperiment) -> list[str]:
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.experiment.look import save_figure, time_axis
    from amseg_keras.report.experiment.time_series import time_series_figure

    if not {"keyhole", "pore"} & set(experiment.class_names):
        return []
    axis = time_axis(found.scale, experiment.count)
    figure = time_series_figure(found, experiment.class_names, axis)
    return [path.name for path in save_figure(figure, folder / "time_series")]
