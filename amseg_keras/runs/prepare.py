"""Prepare one stack into one folder.

frames.tif | frames.h5    the ready frames
prepare.csv               one row a frame: shift, place of the crop, whether it could be read
prepare.json              input, steps and settings; written last
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import tifffile

from amseg_keras.atomic import complete_or_absent
from amseg_keras.outputs import OutputFiles, OutputFolder, stack_identity
from amseg_keras.preprocess import Prepared, Step, prepare
from amseg_keras.preprocess.chain import DType
from amseg_keras.quantify import Scale
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.label_exports import ome_scale
from amseg_keras.report.label_files import BIGTIFF_BYTES
from amseg_keras.runs.streams import unreadable_frame
from amseg_keras.versions import package_versions

RECORD = "prepare.json"
TABLE = "prepare.csv"
FRAMES: dict[str, str] = {"tiff": "frames.tif", "hdf5": "frames.h5"}
"""Name of the file by its format."""

OUTPUTS = OutputFiles(
    "amseg prepare", RECORD, (*FRAMES.values(), TABLE), {TABLE: ("frame", "readable")}
)

FILES_OF_STEPS = ("flats", "dark")
"""Parameters of steps that are paths; a digest stands for the content of the files."""

Progress = Callable[[int], None]
"""Function of the number of written frames."""


@dataclass(frozen=True)
class PrepareSettings:
    """Settings of the files of ready frames.

    Args:
        file_format: `"tiff"` (an ImageJ stack) or `"hdf5"`.
        dtype: `"uint8"`, `"uint16"` or `"float32"`, as in `prepare`.
        pixel_size_um: size of a pixel in um; by default the pixel size of the input.
        frame_rate_hz: frames per second; by default the frame rate of the input.
        overwrite: replace the result of another run.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> settings = PrepareSettings("hdf5", "uint16", frame_rate_hz=40_000.0)
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     settings.scales(stack)
        (4.31, 40000.0)
    """

    file_format: Literal["tiff", "hdf5"] = "tiff"
    dtype: DType = "uint8"
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    overwrite: bool = False

    def scales(self, stack: FrameStack) -> tuple[float | None, float | None]:
        """Return pixel size in um and frame rate in Hz, from the settings or the input.

        Args:
            stack: input of the run.
        """
        return (
            stack.pixel_size_um if self.pixel_size_um is None else self.pixel_size_um,
            stack.frame_rate_hz if self.frame_rate_hz is None else self.frame_rate_hz,
        )


@dataclass(frozen=True)
class PreparedFolder:
    """Result of `prepare_stack`.

    Attributes:
        record: Record of the run, as in `prepare.json`.
        was_done: Whether an earlier run had written the same files.

    Example:
        >>> import tempfile
        >>> from amseg_keras.preprocess import Stretch
        >>> from amseg_keras.read import open_stack
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as raw:
        ...     done = prepare_stack(raw, [Stretch()], folder)
        ...     again = prepare_stack(raw, [Stretch()], folder)
        >>> done.was_done, again.was_done, done.record["outputs"]
        (False, True, ['frames.tif', 'prepare.csv', 'prepare.json'])
        >>> done.record["measured"]["stretch"]
        {'low': 0.0, 'high': 251.0}
    """

    record: dict[str, Any]
    was_done: bool


def prepare_stack(
    stack: FrameStack,
    steps: Sequence[Step],
    folder: Path,
    settings: PrepareSettings | None = None,
    progress: Progress = lambda done: None,
) -> PreparedFolder:
    """Prepare a stack frame by frame and write the files of its folder, each whole or not at all.

    A frame that cannot be read, or whose background cannot be read, is written as zeros, so that
    every frame keeps its number. The record lists such frames.

    Args:
        stack: raw frames.
        steps: steps in their order, as for `prepare`.
        folder: output folder, made if it is missing.
        settings: settings of the files.
        progress: function of the number of written frames.

    Returns:
        The record, and whether the files were there before.

    Raises:
        OutputTakenError: the folder holds another result and `settings.overwrite` is off, or its
            frames are the input itself.
        ReadError: no frame of the stack can be read.
        ValueError: a step does not fit the stack.

    Example:
        >>> import tempfile
        >>> from amseg_keras.preprocess import Stretch
        >>> from amseg_keras.read import open_stack
        >>> from amseg_keras.runs import prepare_stack
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-lpbf") as raw:
        ...     done = prepare_stack(raw, [Stretch()], folder)
        >>> with open_stack(folder / "frames.tif") as ready:
        ...     print(ready.shape, ready.dtype, ready.pixel_size_um)
        (24, 256, 512) uint8 4.31
    """
    settings = settings or PrepareSettings()
    pixel_size_um, frame_rate_hz = settings.scales(stack)
    identity = stack_identity(
        stack,
        {
            "steps": [{"step": step.name, **_known_by_content(step)} for step in steps],
            "output": {"format": settings.file_format, "dtype": settings.dtype},
            "pixel_size_um": pixel_size_um,
            "frame_rate_hz": frame_rate_hz,
        },
    )
    with OutputFolder(folder, OUTPUTS, settings.overwrite) as out:
        finished = out.check(identity)
        redo = finished is not None and not (folder / FRAMES[settings.file_format]).exists()
        if finished is not None and not redo:
            progress(len(stack))
            return PreparedFolder(finished, was_done=True)
        # Steps that do not fit the stack must fail before an earlier result is deleted.
        ready = prepare(stack, steps, settings.dtype)
        out.begin(identity, redo)
        record = _write_all(stack, ready, out, settings, progress)
        return PreparedFolder(record, was_done=False)


def _write_all(
    stack: FrameStack,
    ready: Prepared,
    out: OutputFolder,
    settings: PrepareSettings,
    progress: Progress,
) -> dict[str, Any]:
    """Write all files of a claimed folder, and return the record."""
    started = time.perf_counter()
    folder, scales = out.path, settings.scales(stack)
    target = folder / FRAMES[settings.file_format]
    out.needed_bytes = math.prod(ready.shape) * ready.dtype.itemsize
    unreadable: dict[int, str] = {}
    write = {"tiff": _write_tiff, "hdf5": _write_hdf5}[settings.file_format]
    with complete_or_absent(target) as temporary:
        write(temporary, ready, _filled(ready, unreadable, progress), scales)
        if len(unreadable) == len(stack):
            raise ReadError(next(iter(unreadable.values())))
    _write_table(folder / TABLE, ready, unreadable, stack.frame_names)
    record = {
        "files": _files_of(ready.steps),
        "measured": {
            step.name: stage.measured
            for step, stage in zip(ready.steps, ready.stages, strict=True)
            if stage.measured
        },
        "output_shape": list(ready.shape),
        "notes": [*stack.notes, *ready.notes, *_repaired(ready)],
        "unreadable_frames": [
            unreadable_frame(stack, index, unreadable[index]) for index in sorted(unreadable)
        ],
        "outputs": [target.name, TABLE, RECORD],
        "versions": package_versions("numpy", "scipy", "scikit-image", "tifffile", "h5py"),
        "times": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "prepare_s": round(time.perf_counter() - started, 3),
        },
    }
    return out.finish(record)


def _known_by_content(step: Step) -> dict[str, Any]:
    """Return the parameters of a step without paths, whose files have a digest."""
    return {key: value for key, value in step.parameters().items() if key not in FILES_OF_STEPS}


def _files_of(steps: Sequence[Step]) -> dict[str, Any]:
    values = {key: value for step in steps for key, value in step.parameters().items()}
    return {key: values[key] for key in FILES_OF_STEPS if values.get(key)}


def _repaired(ready: Prepared) -> Iterator[str]:
    """Yield sentences about repaired pixels."""
    for step, stage in zip(ready.steps, ready.stages, strict=True):
        if step.name == "repair":
            repair = stage.measured
            yield (
                f"{repair['repaired_px']} pixels in {repair['repaired_frames']} frames were NaN, "
                "infinite or dead and were replaced by the median of their neighbours"
            )
            if repair["inverted"]:
                yield "black and white were turned over, since the file says that 0 is white"


def _filled(
    ready: Prepared, unreadable: dict[int, str], progress: Progress
) -> Iterator[np.ndarray]:
    """Yield every frame; an unreadable one is noted and yielded as zeros."""
    for index in range(len(ready)):
        try:
            frame = ready[index]
        except ReadError as error:
            unreadable[index] = str(error)
            frame = np.zeros(ready.shape[1:], ready.dtype)
        yield np.ascontiguousarray(frame)
        progress(index + 1)


def _write_tiff(
    path: Path,
    ready: Prepared,
    frames: Iterator[np.ndarray],
    scales: tuple[float | None, float | None],
) -> None:
    pixel_size_um, frame_rate_hz = scales
    imagej = math.prod(ready.shape) * ready.dtype.itemsize < BIGTIFF_BYTES
    metadata: dict[str, Any] = {"axes": "TYX"}
    if imagej:
        if pixel_size_um is not None:
            metadata["unit"] = "um"
        if frame_rate_hz is not None:
            metadata |= {"finterval": 1 / frame_rate_hz, "tunit": "sec"}
    else:
        metadata |= ome_scale(Scale(pixel_size_um, frame_rate_hz))
    per_um = None if pixel_size_um is None else (1 / pixel_size_um, 1 / pixel_size_um)
    tifffile.imwrite(
        path,
        frames,
        shape=ready.shape,
        dtype=ready.dtype,
        photometric="minisblack",
        imagej=imagej,
        ome=not imagej,
        bigtiff=not imagej,
        resolution=per_um if imagej else None,
        metadata=metadata,
    )


def _write_hdf5(
    path: Path,
    ready: Prepared,
    frames: Iterator[np.ndarray],
    scales: tuple[float | None, float | None],
) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "frames", ready.shape, ready.dtype, chunks=(1, *ready.shape[1:]), compression="lzf"
        )
        for name, value in zip(("pixel_size_um", "frame_rate_hz"), scales, strict=True):
            if value is not None:
                dataset.attrs[name] = value
        for index, frame in enumerate(frames):
            dataset[index] = frame


def _write_table(
    path: Path, ready: Prepared, unreadable: dict[int, str], names: tuple[str, ...] | None
) -> None:
    rows: list[dict[str, Any]] = []
    for index in range(len(ready)):
        row: dict[str, Any] = {"frame": index}
        if names is not None:
            row["file"] = names[index]
        row["readable"] = int(index not in unreadable)
        if index not in unreadable:
            row |= ready.positions(index)
        rows.append(row)
    columns = dict.fromkeys(column for row in rows for column in row)
    with (
        complete_or_absent(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
