"""Write the report of an experiment from the results of `amseg segment` and `amseg quantify`.

report.html         numbers, figures, tables, definitions; needs no other file
report_figures/     the figures as PDF and PNG
report_movie.mp4    recording, labels and running plots, if requested
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amseg_keras.applicability.sentences import NOT_CHECKED
from amseg_keras.atomic import complete_or_absent
from amseg_keras.outputs import OutputFiles, OutputFolder, OutputTakenError
from amseg_keras.preprocess import GreyRange, GreyScaling
from amseg_keras.quantify.quantities import Quantities
from amseg_keras.read import FrameStack
from amseg_keras.read.errors import reading
from amseg_keras.report.experiment.tables import in_words
from amseg_keras.report.page import count, is_own_page
from amseg_keras.runs.labelled_run import LabelledRun, open_labelled_run, open_recording
from amseg_keras.runs.quantify import FOLDER, check_labels_unchanged, read_quantities
from amseg_keras.runs.streams import with_progress
from amseg_keras.versions import package_versions

if TYPE_CHECKING:
    from amseg_keras.report.experiment.experiment_report import Figures
    from amseg_keras.report.experiment.film_strip import Pictures
    from amseg_keras.report.experiment.look import TimeAxis

REPORT = "report.html"

Progress = Callable[[int, int], None]
"""Function of the number of frames in the movie so far, and of all frames."""

_NAMED = 5

_CONDITIONS = {
    "facility": "{}",
    "process": "{}",
    "material": "{}",
    "power_W": "{} W",
    "speed_mm_s": "{} mm/s",
}
"""Parameters in the subtitle of the report, with their units."""


@dataclass(frozen=True)
class Report:
    """Files of a report.

    Attributes:
        page: HTML file.
        figures: Figures as files.
        movie: Movie, or None.
        notes: Sentences before the numbers of the report.
    """

    page: Path
    figures: tuple[Path, ...]
    movie: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Opened:
    """A run with its quantities and, if they can be read, its frames."""

    run: LabelledRun
    quantities: Quantities
    record: dict[str, Any]
    axis: TimeAxis
    pictures: Pictures


def report_run(
    folder: Path,
    out: Path | None = None,
    movie: bool = False,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Write the report of an experiment, and replace an earlier one.

    Args:
        out: HTML file; by default `report.html` in the folder. Figures and movie are written
            beside it, under its name.
        movie: Whether to make the movie.
        progress: Function of the frames in the movie so far, and of all frames.

    Raises:
        ReadError: The folder is no result of `amseg segment`, is not quantified, or is damaged.
        OutputTakenError: Another program wrote the HTML file.
    """
    from amseg_keras.report.experiment.film_strip import Pictures
    from amseg_keras.report.experiment.look import time_axis

    run = open_labelled_run(folder)
    quantities, record = read_quantities(folder, run.shape[0])
    check_labels_unchanged(record, run.labels_content, folder)
    page = out or folder / REPORT
    film = page.with_name(f"{page.stem}_movie.mp4") if movie else None
    _check_free(page, film)
    axis = time_axis(quantities.scale, run.shape[0])
    figures_folder = page.with_name(f"{page.stem}_figures")
    names = (page.name, f"{page.stem}_movie.mp4", f"{figures_folder.name}/*")
    with ExitStack() as held:
        beside = OutputFolder(page.parent, OutputFiles("amseg report", REPORT, names))
        held.enter_context(beside)
        beside.claim()
        beside.remove_half_written()
        recording, why_not = open_recording(run)
        if recording is not None:
            held.callback(recording.close)
        pictures = Pictures(recording, run.class_names, _grey_range(run, recording))
        opened = _Opened(run, quantities, record, axis, pictures)
        notes = tuple(_notes(opened, why_not))
        figures = _draw(opened)
        saved = _save_figures(figures, figures_folder)
        _write_page(page, opened, figures, notes)
        if film is not None:
            _write_movie(film, opened, progress)
    return Report(page, saved, film, notes)


def _check_free(page: Path, film: Path | None) -> None:
    """Refuse to replace files of other programs; a movie beside a report is a report's."""
    if page.exists():
        if not is_own_page(page):
            raise OutputTakenError(f"{page}: is no report of amseg; give another -o")
    elif film is not None and film.exists():
        raise OutputTakenError(f"{film}: is there already, without a report; give another -o")


def _grey_range(run: LabelledRun, recording: FrameStack | None) -> GreyRange:
    if recording is not None and "grey_range" not in run.record:
        return GreyScaling().measure(recording)
    with reading(str(run.folder / "run.json"), "a record"):
        return GreyRange(**run.record.get("grey_range", {"low": 0, "high": 1, "top": 1}))


def _draw(opened: _Opened) -> Figures:
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.experiment.experiment_report import Figures
    from amseg_keras.report.experiment.film_strip import (
        draw_strip,
        strip_frames,
        windows_around_keyhole,
    )
    from amseg_keras.report.experiment.time_series import (
        area_histogram_figure,
        panels_of,
        spectrum_figure,
        time_series_figure,
    )

    run, quantities = opened.run, opened.quantities
    frames, height, width = run.shape
    chosen = strip_frames(quantities.frames["frame"].tolist(), frames)
    strip = draw_strip(opened.pictures, run.frames(), chosen)
    windows = windows_around_keyhole(quantities.frames, chosen, (height, width))
    time_series = None
    if frames > 1 and panels_of(run.class_names):
        pairs = list(zip(strip, windows, strict=True))
        time_series = time_series_figure(quantities, run.class_names, opened.axis, pairs)
    return Figures(
        time_series, area_histogram_figure(quantities), spectrum_figure(quantities), strip
    )


def _save_figures(figures: Figures, folder: Path) -> tuple[Path, ...]:
    from amseg_keras.report.experiment.look import save_figure

    named = {
        "time_series": figures.time_series,
        "keyhole_area_histogram": figures.area_histogram,
        "keyhole_spectrum": figures.spectrum,
    }
    folder.mkdir(exist_ok=True)
    saved = []
    for name, figure in named.items():
        if figure is not None:
            saved += save_figure(figure, folder / name)
    return tuple(saved)


def _write_page(page: Path, opened: _Opened, figures: Figures, notes: tuple[str, ...]) -> None:
    from amseg_keras.report.experiment.experiment_report import Experiment, experiment_report

    experiment = Experiment(
        opened.run.folder.resolve().name,
        _subtitle(opened),
        opened.quantities,
        opened.run.class_names,
        opened.axis,
        str(opened.run.folder / FOLDER),
    )
    with complete_or_absent(page) as temporary:
        text = experiment_report(experiment, figures, notes, _made_with(opened))
        temporary.write_text(text, encoding="utf-8")


def _write_movie(path: Path, opened: _Opened, progress: Progress) -> None:
    from amseg_keras.report.experiment.quantities_movie import write_quantities_movie

    run = opened.run
    labels = with_progress(run.frames(), lambda done: progress(done, run.shape[0]))
    caution = "CAUTION: out of the network's depth?" if run.record.get("warnings") else ""
    write_quantities_movie(
        path, opened.pictures, labels, opened.quantities, run.shape, opened.axis, caution
    )


def _subtitle(opened: _Opened) -> str:
    frames, height, width = opened.run.shape
    scale, direction = opened.quantities.scale, opened.quantities.scan_direction
    parts = [f"{count(frames, 'frame')} of {width} x {height} pixels"]
    if scale.pixel_size_um is not None:
        said = " (assumed)" if scale.pixel_size_assumed else ""
        parts.append(f"{scale.pixel_size_um:g} µm a pixel{said}")
    if scale.frame_rate_hz is not None:
        parts.append(f"{scale.frame_rate_hz:,g} frames a second")
    if direction is not None:
        parts.append(f"scan to the {'right' if direction > 0 else 'left'}")
    known = opened.record.get("parameters") or {}
    conditions = [
        text.format(in_words(known[name])) for name, text in _CONDITIONS.items() if known.get(name)
    ]
    return "; ".join(", ".join(texts) for texts in (parts, conditions) if texts)


def _notes(opened: _Opened, why_not: str | None) -> Iterator[str]:
    run, frames = opened.run, opened.quantities.frames
    scale = opened.quantities.scale
    for warning in run.record.get("warnings") or ():
        yield f"CAUTION: {warning['sentence']}. The network may be out of its depth here."
    if trained_on := run.record.get("trained_on"):
        yield f"The labels are those of a network that was trained on: {trained_on}"
    for note in run.record.get("notes") or ():
        yield note if note.startswith(NOT_CHECKED) else f"Reading of the frames: {note}"
    if scale.pixel_size_um is None:
        yield "The size of a pixel is not known: lengths are in pixels, areas in square pixels."
    elif scale.pixel_size_assumed:
        yield (
            f"The size of a pixel, {scale.pixel_size_um:g} µm, is assumed as in the training "
            "frames of the network. Nobody measured it, so every number in µm here is a guess."
        )
    if scale.frame_rate_hz is None:
        yield "The frame rate is not known: times are in frames, and there is no spectrum."
    if run.unreadable:
        some = sorted(run.unreadable)
        named = ", ".join(map(str, some[:_NAMED])) + (", ..." if len(some) > _NAMED else "")
        unread = f"{count(len(some), 'frame')} could not be read"
        yield f"{unread}, and nothing is measured there: {named}"
    if "keyhole" in run.class_names:
        without = int((frames["keyhole_area_px"] == 0).sum())
        if without:
            yield (
                f"{count(without, 'frame')} of {len(frames)} without a keyhole: they are in no "
                "median, mean or fluctuation."
            )
    unseen = int(frames["surface_y_px"].isna().sum())
    if unseen and "substrate" in run.class_names:
        yield f"{count(unseen, 'frame')} without a surface: no depths are measured there."
    if why_not is not None:
        yield f"The recording is not at hand, so that only labels are shown: {why_not}"


def _made_with(opened: _Opened) -> dict[str, str]:
    labels, quantified = opened.run.record, opened.record
    made = {"device": labels.get("device"), **(labels.get("versions") or {})}
    rows = {
        "recording": opened.run.source,
        "model": labels.get("model"),
        "trained on": labels.get("trained_on"),
        "weights (SHA-256)": labels.get("weights_sha256"),
        "looks like": labels.get("applicability"),
        "grey levels": _in_words(labels.get("grey_range") or {}),
        "segmented": (labels.get("times") or {}).get("finished"),
        "segmented with": _in_words(made),
        "pixel size from": quantified.get("pixel_size_from"),
        "scan direction from": quantified.get("scan_direction_from"),
        "smallest pore (µm)": in_words(quantified.get("smallest_pore_um")),
        "parameters": _in_words(quantified.get("parameters") or {}),
        "quantified": quantified.get("finished"),
        "quantified with": _in_words(quantified.get("versions") or {}),
        "reported": datetime.now(UTC).isoformat(timespec="seconds"),
        "reported with": _in_words(package_versions("matplotlib")),
    }
    return {name: str(value) for name, value in rows.items() if value}


def _in_words(values: Mapping[str, Any]) -> str:
    """Join names and known values."""
    return ", ".join(
        f"{name} {in_words(value)}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
        if value is not None
    )
