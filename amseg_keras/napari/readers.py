"""Readers of the plugin: recordings, results of `amseg`, data sets, samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import LabelStack
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import DATASET_FILE
from amseg_keras.napari.layers import (
    Labelled,
    LayerTuple,
    image_layer,
    in_place,
    labels_layer,
    lazy_frames,
    run_layer,
)
from amseg_keras.read import ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.formats import is_supported
from amseg_keras.runs.labelled_run import open_labelled_run, open_recording

PREPARED, SEGMENTED = "prepare.json", "run.json"

Read = Callable[[str | list[str]], list[LayerTuple]]


def get_reader(path: str | list[str]) -> Read | None:
    """Give the function that reads a path; None if this plugin does not read it.

    Example:
        >>> get_reader("notes.txt") is None
        True
    """
    first = Path(path[0] if isinstance(path, list) else path)
    if first.is_dir():
        known = (SEGMENTED, PREPARED, DATASET_FILE)
        if any((first / name).is_file() for name in known) or any(first.glob(f"*/{SEGMENTED}")):
            return read
        with os.scandir(first) as entries:
            return read if any(is_supported(Path(one.name)) for one in entries) else None
    return read if is_supported(first) else None


def read(path: str | list[str]) -> list[LayerTuple]:
    """Read a path as layers.

    Args:
        path: Recording, result of `amseg segment` or `amseg prepare`, folder of several results,
            or data set.

    Raises:
        ReadError: It cannot be read.
    """
    if isinstance(path, list):
        return _recordings(path, ReadOptions(join=len(path) > 1))
    place = Path(path)
    if (place / SEGMENTED).is_file():
        return _result(place)
    if runs := sorted(place.glob(f"*/{SEGMENTED}")):
        return [layer for run in runs for layer in _result(run.parent)]
    if (place / DATASET_FILE).is_file():
        data = open_dataset(place)
        sequences = data.sequences().items()
        return [layer for name, frames in sequences for layer in _sequence(data, frames, name)]
    if (place / PREPARED).is_file():
        return _recordings([str(next(place.glob("frames.*")))], ReadOptions())
    return _recordings([path], ReadOptions())


def sample_lpbf() -> list[LayerTuple]:
    """Give the sample of laser powder bed fusion."""
    return _recordings(["sample:esrf-lpbf"], ReadOptions())


def sample_welding() -> list[LayerTuple]:
    """Give the sample of welding."""
    return _recordings(["sample:esrf-welding"], ReadOptions())


def _recordings(paths: Sequence[str], options: ReadOptions) -> list[LayerTuple]:
    sources, errors = find_stacks(paths, options)
    if not sources:
        raise errors[0]
    return [image_layer(source) for source in sources]


def _result(folder: Path) -> list[LayerTuple]:
    """Return the recording of a run, if it is still there, and its label maps."""
    run = open_labelled_run(folder)
    stack, why = open_recording(run)
    if stack is None:
        from napari.utils.notifications import show_warning

        show_warning(f"{folder}: the frames are not shown: {why}")
        return [run_layer(folder, None)]
    stack.close()
    options = ReadOptions(**run.record.get("reading", {}))
    source: StackSource = find_stacks([run.source], options)[0][0]
    image, labels = image_layer(source), run_layer(folder, source)
    for name in ("scale", "units"):  # the pixel size may be the user's, which the file lacks
        if name in labels[1]:
            image[1][name] = labels[1][name]
    return [image, labels]


class _Frames:
    """The images of a sequence of a data set."""

    def __init__(self, data: Dataset, frames: Sequence[LabelledFrame]) -> None:
        self._data, self._listed = data, frames
        first = data.image(frames[0])
        self.dtype = first.dtype
        self.shape: tuple[int, ...] = (len(frames), *first.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, index: int) -> np.ndarray:
        image = self._data.image(self._listed[index])
        if image.shape != self.shape[1:]:
            raise ReadError(f"{self._listed[index].image}: has another size than its sequence")
        return image


def _sequence(data: Dataset, frames: Sequence[LabelledFrame], name: str) -> list[LayerTuple]:
    images = _Frames(data, frames)
    size = frames[0].pixel_size_um or data.pixel_size_um
    shown = lazy_frames(images, images.dtype)
    layers: list[LayerTuple] = [(shown, {"name": name, **in_place(size)}, "image")]
    if any(frame.label is not None for frame in frames):
        labels = np.full(images.shape, IGNORE, np.uint8)
        for number, frame in enumerate(frames):
            if frame.label is not None:
                labels[number] = data.labels(frame)
        stack = LabelStack(labels.copy(), data.class_names)
        known = Labelled(data.class_names, stack, name, pixel_size_um=size)
        layers.append(labels_layer(labels, known))
    return layers
