"""Write label maps in the files of other programs.

NAME-rois.zip     regions of ImageJ, an outline for each piece of a class
NAME.ome.tif      OME-TIFF with pixel size and frame rate
NAME.ome.zarr     OME-Zarr image with labels
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amseg_keras.outputs import CannotWriteError, OutputTakenError
from amseg_keras.quantify import Scale
from amseg_keras.read import FrameStack
from amseg_keras.report.label_exports import Ngff, write_ome_tiff, write_ome_zarr, write_rois
from amseg_keras.runs.labelled_experiment import LabelledExperiment
from amseg_keras.runs.labelled_run import open_labelled_run, open_recording
from amseg_keras.runs.streams import with_progress

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
