"""Read the result of `amseg segment` back, find its recording, and write corrected labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.corrections import LabelStack
from amseg_keras.outputs import UNFINISHED, InputContent, input_content, write_json
from amseg_keras.quantify import class_areas
from amseg_keras.read import FrameStack, ReadError, ReadOptions, StackSource, open_stack
from amseg_keras.read.errors import reading
from amseg_keras.report.label_files import LABEL_WRITERS, ZARR_NAME, read_zarr
from amseg_keras.runs.segment import RECORD

_LISTED = 5

_AGAIN = "segment the frames again with --overwrite"

_ONE_FILE = {"tiff": ("labels.tif", None), "hdf5": ("labels.h5", "/labels")}
"""File and dataset of the formats that hold all label maps in one file."""

_PICTURES = "labels"
"""Folder of the format that holds a PNG for each frame."""


@dataclass(frozen=True)
class LabelledRun:
    """A folder that `amseg segment` has finished.

    Attributes:
        record: Content of `run.json`.
        shape: (frames, height, width) of the label maps.
        class_names: Name of each class id.
        source: Input of `amseg segment`.
    """

    folder: Path
    record: dict[str, Any]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    source: str

    @property
    def unreadable(self) -> frozenset[int]:
        """Numbers of the frames that could not be read when they were segmented."""
        return frozenset(int(row["frame"]) for row in self.record.get("unreadable_frames", ()))

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the label map of every frame, with one in memory at a time.

        Yields:
            Class ids, uint8 `(height, width)`; all 255 if the frame could not be read.

        Raises:
            ReadError: The label maps are damaged, or not those of the record.
        """
        for index, labels in enumerate(self._stored()):
            wrong = (labels >= len(self.class_names)) & (labels != IGNORE)
            if wrong.any():
                raise ReadError(
                    f"{self.folder}: the labels of frame {index} hold {int(labels[wrong][0])}, "
                    f"which is no class of the run; {_AGAIN}"
                )
            yield labels

    def labels_content(self) -> InputContent:
        """Digest the label files, to tell whether labels were corrected since.

        Raises:
            ReadError: A label file cannot be read.
        """
        with reading(str(self.folder), "label maps"):
            return input_content(self._label_files())

    def _label_files(self) -> list[Path]:
        if self._one_file:
            return [self.folder / _ONE_FILE[self.record["label_format"]][0]]
        home = self.folder / (ZARR_NAME if self._one_array else _PICTURES)
        return sorted(path for path in home.rglob("*") if path.is_file()) or [home]

    def check(self) -> None:
        """Check for damage that shows without reading all label maps.

        Raises:
            ReadError: As `frames`.
        """
        if self._one_file:
            self._open_file().close()
        elif self._one_array:
            self._open_array()
        elif not (self.folder / _PICTURES).is_dir():
            raise _damaged(self.folder, f"there is no folder {_PICTURES}")

    @property
    def _one_file(self) -> bool:
        return self.record["label_format"] in _ONE_FILE

    @property
    def _one_array(self) -> bool:
        return bool(self.record["label_format"] == "zarr")

    def _open_array(self) -> Iterator[np.ndarray]:
        try:
            shape, dtype, frames = read_zarr(self.folder / ZARR_NAME)
        except ImportError as error:
            raise ReadError(f"{self.folder}: {error}") from error
        except Exception as error:  # zarr and its stores have errors of many kinds
            raise _damaged(self.folder, f"{ZARR_NAME}: {error}") from error
        if shape != self.shape or dtype != np.uint8:
            raise self._unlike_record(shape, dtype)
        return frames

    def _from_array(self) -> Iterator[np.ndarray]:
        frames = self._open_array()
        while True:
            try:
                labels = next(frames)
            except StopIteration:
                return
            except Exception as error:
                raise _damaged(self.folder, f"{ZARR_NAME}: {error}") from error
            yield labels

    def _stored(self) -> Iterator[np.ndarray]:
        if self._one_array:
            yield from self._from_array()
            return
        if not self._one_file:
            yield from self._pictures()
            return
        with self._open_file() as stack:
            for index in range(len(stack)):
                try:
                    labels = stack[index]
                except ReadError as error:
                    raise _damaged(self.folder, error) from error
                yield labels

    def _open_file(self) -> FrameStack:
        name, dataset = _ONE_FILE[self.record["label_format"]]
        path = self.folder / name
        try:
            stack = StackSource(path.stem, str(path), (path,), dataset).open()
        except ReadError as error:
            raise _damaged(self.folder, error) from error
        if stack.shape != self.shape or stack.dtype != np.uint8:
            stack.close()
            raise self._unlike_record(stack.shape, stack.dtype)
        return stack

    def _pictures(self) -> Iterator[np.ndarray]:
        frames, height, width = self.shape
        # The same number of digits as in `write_png`.
        digits = max(5, len(str(frames - 1)))
        for index in range(frames):
            if index in self.unreadable:
                yield np.full((height, width), IGNORE, np.uint8)
                continue
            path = self.folder / _PICTURES / f"{index:0{digits}}.png"
            try:
                with StackSource(path.stem, str(path), (path,)).open() as stack:
                    labels = stack[0]
            except ReadError as error:
                raise _damaged(self.folder, error) from error
            if labels.shape != (height, width) or labels.dtype != np.uint8:
                raise self._unlike_record((frames, *labels.shape), labels.dtype)
            yield labels

    def _unlike_record(self, shape: tuple[int, ...], dtype: np.dtype) -> ReadError:
        stored, wanted = (" x ".join(map(str, size)) for size in (shape, self.shape))
        return _damaged(self.folder, f"they are {stored} {dtype}, but {RECORD} says {wanted} uint8")


def open_labelled_run(folder: Path) -> LabelledRun:
    """Open the result of `amseg segment` for one stack.

    Args:
        folder: Folder of the stack, with `run.json` in it.

    Returns:
        The run, whose label maps are read when they are needed.

    Raises:
        ReadError: The folder is no result of `amseg segment`, is not finished, or its record or
            its label files are missing or damaged.

    Example:
        >>> open_labelled_run(Path("no-such-folder"))
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: no-such-folder: no such folder; check the path
    """
    if not folder.is_dir():
        raise ReadError(f"{folder}: no such folder; check the path")
    if not (folder / RECORD).is_file():
        raise ReadError(_why_no_record(folder))
    record = _read_record(folder)
    try:
        frames, height, width = (int(size) for size in record["shape"])
        names = tuple(str(name) for name in record["class_names"])
        run = LabelledRun(folder, record, (frames, height, width), names, str(record["source"]))
        if record["label_format"] not in LABEL_WRITERS:
            raise ValueError(f"label format {record['label_format']!r}")
        _ = run.unreadable
    except (KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{folder / RECORD}: is no record of amseg segment ({type(error).__name__}: {error}); "
            f"{_AGAIN}"
        ) from error
    run.check()
    return run


def _damaged(folder: Path, why: ReadError | str) -> ReadError:
    return ReadError(f"{folder}: its label maps cannot be read ({why}); {_AGAIN}")


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(f"{path}: is damaged ({error}); {_AGAIN}") from error
    if not isinstance(record, dict):
        raise ReadError(f"{path}: is no record of amseg segment; {_AGAIN}")
    return record


def _why_no_record(folder: Path) -> str:
    if (folder / UNFINISHED).is_dir():
        return f"{folder}: is not finished; give the same amseg segment command again to continue"
    runs = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
    if runs:
        more = f" and {len(runs) - _LISTED} more" if len(runs) > _LISTED else ""
        return (
            f"{folder}: holds the results of {len(runs)} stacks, give the folder of one: "
            f"{', '.join(runs[:_LISTED])}{more}"
        )
    return (
        f"{folder}: is no result of amseg segment (there is no {RECORD} in it); "
        "segment the frames first"
    )


def open_recording(run: LabelledRun) -> tuple[FrameStack | None, str | None]:
    """Open the segmented frames, if they are there and unchanged.

    Returns:
        The frames, which the caller closes, and None; or None and the reason.
    """
    try:
        options = ReadOptions(**run.record.get("reading", {}))
        stack = open_stack(run.source, options)
    except (ReadError, TypeError) as error:
        return None, str(error)
    if stack.shape == run.shape:
        if (changed := _changed_since(stack, run)) is None:
            return stack, None
        stack.close()
        return None, f"{changed}, so its frames are not those of the labels"
    now, before = (" x ".join(map(str, shape)) for shape in (stack.shape, run.shape))
    stack.close()
    return None, f"{run.source}: is now {now} and was {before} when it was segmented"


def _changed_since(stack: FrameStack, run: LabelledRun) -> str | None:
    """Say how the recording differs from the segmented one; None if it does not."""
    there = run.record.get("input")
    if not isinstance(there, dict):
        return None
    with reading(stack.source, "a file"):
        return input_content(stack.made_of.files).difference(there, stack.source)


AREAS = "frames.csv"


def write_corrected(folder: Path, labels: LabelStack) -> list[str]:
    """Replace the label maps and the areas of a finished run by corrected ones.

    The record lists the corrected frames. The overlay keeps the labels of the network. Commands
    that read tables of `amseg quantify` notice that the labels changed.

    Args:
        folder: Folder of `amseg segment`.

    Returns:
        Names of the files that were written.

    Raises:
        ReadError: The folder is no finished run, or its frames are not those of the labels.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.pretrained import find_preset
        >>> from amseg_keras.pretrained.preset import weights_digest
        >>> from amseg_keras.read import open_stack
        >>> from amseg_keras.runs import RunSettings, run_stack
        >>> digest = weights_digest(find_preset("amsegnet-esrf-lite"))
        >>> segmenter, folder = from_pretrained("amsegnet-esrf-lite"), Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     _ = run_stack(stack, segmenter, digest, folder, RunSettings())
        >>> found = np.stack(list(open_labelled_run(folder).frames()))
        >>> labels = LabelStack(found, segmenter.class_names)
        >>> labels.paint(3, np.ones((256, 512), bool), "pore")
        True
        >>> write_corrected(folder, labels)
        ['labels.tif', 'frames.csv', 'run.json']
        >>> open_labelled_run(folder).record["corrected_frames"]
        [3]
    """
    run = open_labelled_run(folder)
    if labels.shape != run.shape or labels.class_names != run.class_names:
        raise ReadError(
            f"{folder}: holds {run.shape[0]} frames with the classes {', '.join(run.class_names)}, "
            "which are not those of the corrected labels; choose the folder that they come from"
        )
    frames = range(len(labels))
    written = LABEL_WRITERS[run.record["label_format"]](
        folder, (labels[number] for number in frames), run.shape, run.class_names
    )
    size = run.record.get("pixel_size_um")
    areas = class_areas((labels[number] for number in frames), run.class_names, size)
    with complete_or_absent(folder / AREAS) as temporary:
        areas.to_csv(temporary, index=False, float_format="%.6g")
    before = set(run.record.get("corrected_frames", ()))
    record = run.record | {"corrected_frames": sorted(before | set(labels.corrected))}
    write_json(folder / RECORD, record)
    return [written, AREAS, RECORD]
