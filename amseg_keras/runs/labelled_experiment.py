"""Find the label maps that inputs name, and write them for other programs.

NAME-rois.zip     regions of ImageJ, an outline for each piece of a class
NAME.ome.tif      OME-TIFF with pixel size and frame rate
NAME.ome.zarr     OME-Zarr image with labels
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import DATASET_FILE, check_class_names
from amseg_keras.outputs import CannotWriteError, InputContent, OutputTakenError
from amseg_keras.quantify import Scale
from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.read import FrameStack, ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.formats.tiff import INVERTED_NOTE
from amseg_keras.read.names import safe_name
from amseg_keras.read.pixels import class_ids
from amseg_keras.report.label_exports import Ngff, write_ome_tiff, write_ome_zarr, write_rois
from amseg_keras.runs.labelled_run import open_labelled_run, open_recording
from amseg_keras.runs.segment_outputs import read_bounds
from amseg_keras.runs.streams import with_progress

SEGMENTED = "run.json"
PROCESS = ("facility", "process", "material", "power_W", "speed_mm_s")


@dataclass(frozen=True)
class LabelledExperiment:
    """The label maps of one experiment.

    Attributes:
        name: Name of the experiment and of its folder of results.
        source: Origin of the labels, in words for the user.
        class_names: Name of each class id.
        count: Number of frames.
        frames: Function that yields the label maps in the order of time, uint8
            `(height, width)`; all 255 for a missing frame.
        place: File or folder of the labels.
        part: Name of the sequence in a data set; else empty.
        home: Folder of the segmentation, where results belong; None for other labels.
        pixel_size_um: Size of a pixel in um; None if unknown.
        pixel_size_from: "file", "user", "data set" or "assumed".
        trained_pixel_size_um: Pixel size of the training frames of the network, in um.
        frame_rate_hz: Frames per second; None if unknown.
        parameters: Material, laser power (W), speed (mm/s) and other process parameters.
        about: Origin of the labels: `model`, `trained_on`, `origin`.
        labels: Function that digests the label files of a run; None for other labels.
        bounds: Function that returns the bounds of a few frames; empty if unknown.
        notes: Sentence for each assumption.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    count: int
    frames: Callable[[], Iterator[np.ndarray]]
    place: Path
    part: str = ""
    home: Path | None = None
    pixel_size_um: float | None = None
    pixel_size_from: str | None = None
    frame_rate_hz: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    labels: Callable[[], InputContent] | None = None
    notes: tuple[str, ...] = ()
    trained_pixel_size_um: float | None = None
    bounds: Callable[[], dict[int, FrameBounds]] = dict


def find_experiments(
    inputs: Sequence[str],
    class_names: Sequence[str] = CLASS_NAMES,
    reading: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> tuple[list[LabelledExperiment], list[str]]:
    """Find the experiments that inputs name.

    An input is a folder of `amseg segment`, a folder of such folders, a data set (each sequence is
    an experiment), or label maps in any format that `amseg segment` reads.

    Args:
        class_names: Names of the class ids of bare label maps; other inputs name their own.
        reading: Choices of the user for bare label maps that can be read in two ways.

    Returns:
        The experiments, and a sentence for each input without one.
    """
    experiments: list[LabelledExperiment] = []
    errors: list[str] = []
    for typed in inputs:
        path = Path(typed)
        try:
            if (path / SEGMENTED).is_file():
                experiments.append(_of_run(path))
            elif runs := sorted(path.glob(f"*/{SEGMENTED}")):
                experiments += [_of_run(run.parent) for run in runs]
            elif (path / DATASET_FILE).is_file():
                experiments += _of_dataset(open_dataset(path))
            else:
                stacks, failures = find_stacks([typed], reading)
                errors += map(str, failures)
                experiments += [_of_stack(stack, tuple(class_names)) for stack in stacks]
        except ReadError as error:
            errors.append(str(error))
    return experiments, errors


def _of_run(folder: Path) -> LabelledExperiment:
    run = open_labelled_run(folder)
    record = run.record
    size, size_from = record.get("pixel_size_um"), record.get("pixel_size_from")
    trained = record.get("trained_pixel_size_um")
    if size_from == "preset":  # earlier versions assumed it by default
        size, size_from, trained = None, None, size
    return LabelledExperiment(
        name=folder.resolve().name,
        source=str(folder),
        class_names=run.class_names,
        count=run.shape[0],
        frames=run.frames,
        place=folder,
        home=folder,
        pixel_size_um=size,
        pixel_size_from=size_from,
        trained_pixel_size_um=trained,
        frame_rate_hz=record.get("frame_rate_hz"),
        about={key: record[key] for key in ("model", "trained_on") if key in record},
        labels=run.labels_content,
        bounds=lambda: read_bounds(folder),
        notes=tuple(f"CAUTION: {warning['sentence']}" for warning in record.get("warnings") or ()),
    )


def _of_dataset(data: Dataset) -> list[LabelledExperiment]:
    known = data.other.get("sequences", {})
    experiments = []
    for name, frames in data.sequences().items():
        labelled = tuple(frame for frame in frames if frame.label is not None)
        if not labelled:
            continue
        first, last = labelled[0], labelled[-1]
        own = {key: value for key in PROCESS if (value := getattr(first, key)) is not None}
        size = first.pixel_size_um or data.pixel_size_um
        experiments.append(
            LabelledExperiment(
                name=safe_name(name),
                source=f"{data.folder}, sequence {name}",
                class_names=data.class_names,
                count=last.frame - first.frame + 1,
                frames=_Sequence(data, labelled),
                place=data.folder,
                part=name,
                pixel_size_um=size,
                pixel_size_from="data set" if size else None,
                frame_rate_hz=data.other.get("frame_rate_hz"),
                parameters={**known.get(name, {}), **own},
                about={"origin": data.origin} if data.origin else {},
            )
        )
    if not experiments:
        raise ReadError(f"{data.folder}: none of its frames has labels; label some first")
    return experiments


@dataclass(frozen=True)
class _Sequence:
    """Label maps of a sequence; missing numbers are unreadable frames."""

    data: Dataset
    labelled: tuple[LabelledFrame, ...]

    def __call__(self) -> Iterator[np.ndarray]:
        number = self.labelled[0].frame
        for frame in self.labelled:
            labels = self.data.labels(frame)
            for _ in range(number, frame.frame):
                yield np.full_like(labels, IGNORE)
            number = frame.frame + 1
            yield labels


def _of_stack(source: StackSource, class_names: tuple[str, ...]) -> LabelledExperiment:
    check_class_names(class_names, "--classes")
    with class_ids(source.source), source.open() as stack:
        count = len(stack)
        if stack.dtype.kind not in "iu":
            raise ReadError(
                f"{source.source}: holds {stack.dtype}, not whole numbers as class ids; for frames "
                "that are not segmented yet: amseg segment"
            )
        return LabelledExperiment(
            name=source.name,
            source=source.source,
            class_names=class_names,
            count=count,
            frames=_Stack(source, class_names),
            place=source.files[0] if len(source.files) == 1 else source.files[0].parent,
            pixel_size_um=stack.pixel_size_um,
            pixel_size_from="file" if stack.pixel_size_um else None,
            frame_rate_hz=stack.frame_rate_hz,
            notes=tuple(_note_on_labels(note) for note in stack.notes),
        )


def _note_on_labels(note: str) -> str:
    """Rewrite a note on inverted grey levels, because class ids are not inverted."""
    return note.replace(
        INVERTED_NOTE, "class ids taken as stored, though the file says that 0 is white"
    )


@dataclass(frozen=True)
class _Stack:
    """Label maps of a file or folder; a missing frame is all 255."""

    source: StackSource
    class_names: tuple[str, ...]

    def __call__(self) -> Iterator[np.ndarray]:
        with self._open() as stack:
            for index in range(len(stack)):
                try:
                    with class_ids(f"{self.source.source}: frame {index}"):
                        labels = stack[index]
                except ReadError:
                    if not stack.is_missing(index):
                        raise
                    yield np.full(stack.shape[1:], IGNORE, np.uint8)
                    continue
                wrong = (labels < 0) | ((labels >= len(self.class_names)) & (labels != IGNORE))
                if wrong.any():
                    raise ReadError(
                        f"{self.source.source}: frame {index} holds the value "
                        f"{labels[wrong][0]}, but there are only the classes 0 to "
                        f"{len(self.class_names) - 1} ({', '.join(self.class_names)}) and 255; "
                        "give --classes, or for frames that are not segmented yet: amseg segment"
                    )
                yield labels.astype(np.uint8)

    def _open(self) -> FrameStack:
        with class_ids(self.source.source):
            return self.source.open()


LABEL_EXPORTS: dict[str, str] = {
    "imagej-rois": "-rois.zip",
    "ome-tiff": ".ome.tif",
    "ome-zarr": ".ome.zarr",
}
"""Ending of the file name after the name of the experiment, by format."""

Progress = Callable[[int], None]
"""Function of the number of written frames."""


@dataclass(frozen=True)
class ExportedLabels:
    """Exported label maps."""

    file: Path
    notes: tuple[str, ...] = ()


def export_labels(
    experiment: LabelledExperiment,
    folder: Path,
    kind: str,
    *,
    ngff: Ngff = "0.5",
    progress: Progress = lambda done: None,
) -> ExportedLabels:
    """Write the label maps of an experiment for other programs.

    Args:
        folder: Output folder, made if it is missing. The file gets the name of the experiment.
        kind: One of `LABEL_EXPORTS`.
        progress: Function of the number of frames that are done.

    Raises:
        OutputTakenError: The file is there already.
        CannotWriteError: The file cannot be written.
        ReadError: The label maps cannot be read.
        ImportError: OME-Zarr needs the `zarr` package.

    Example:
        >>> import tempfile
        >>> from amseg_keras.report.label_files import write_tiff
        >>> from amseg_keras.runs.labelled_experiment import find_experiments
        >>> here = Path(tempfile.mkdtemp())
        >>> labels = np.zeros((2, 16, 32), np.uint8)
        >>> labels[:, 4:8, 10:20] = 4
        >>> _ = write_tiff(here, labels, labels.shape, ["background", "pore"])
        >>> (experiment,), _ = find_experiments([str(here / "labels.tif")])
        >>> export_labels(experiment, here, "imagej-rois").file.name
        'labels-rois.zip'
    """
    file = folder / f"{experiment.name}{LABEL_EXPORTS[kind]}"
    if file.exists():
        raise OutputTakenError(f"{file}: is there already; delete it, or give another -o")
    scale = Scale(experiment.pixel_size_um, experiment.frame_rate_hz)
    notes: tuple[str, ...] = ()
    with contextlib.ExitStack() as held:
        recording: FrameStack | None = None
        if kind == "ome-zarr":
            recording, notes = _recording(experiment)
            if recording is not None:
                held.callback(recording.close)
        first = next(iter(experiment.frames()))
        shape = (experiment.count, int(first.shape[0]), int(first.shape[1]))
        labels = with_progress(experiment.frames(), progress)
        about = (file, labels, shape, experiment.class_names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if kind == "imagej-rois":
                write_rois(*about)
            elif kind == "ome-tiff":
                write_ome_tiff(*about, scale)
            else:
                write_ome_zarr(*about, scale, recording, ngff)
        except OSError as error:
            raise CannotWriteError(
                f"{file}: cannot be written ({error.strerror or error})"
            ) from error
    return ExportedLabels(file, notes)


def _recording(experiment: LabelledExperiment) -> tuple[FrameStack | None, tuple[str, ...]]:
    """Open the segmented frames; a sentence says why the image of the store is not theirs."""
    why: str | None = "the labels are of no run of amseg segment, which would name the frames"
    stack = None
    if experiment.home is not None:
        stack, why = open_recording(open_labelled_run(experiment.home))
    if stack is None:
        return None, (f"the image in the store is the label map, not the frames: {why}",)
    return stack, ()
