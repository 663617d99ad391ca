"""Recordings and label maps as layers, and what a layer knows of where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import tifffile

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import LabelStack
from amseg_keras.preprocess import GreyScaling
from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import Frames, FrameStack, ReadError, StackSource, find_stacks
from amseg_keras.read.names import safe_name
from amseg_keras.report.colours import class_colours
from amseg_keras.runs.labelled_run import open_labelled_run

if TYPE_CHECKING:
    from napari.layers import Image, Labels

KEY = "amseg"
"""Key of this package in the metadata of a layer."""

NO_RECORDING = {KEY: "no recording"}
"""Metadata of an image that is no recording: the x-t image."""

AXES = ("frame", "y", "x")

LayerTuple = tuple[Any, dict[str, Any], str]
"""Data, arguments and kind of a layer, as readers give it."""


@dataclass(frozen=True)
class Recorded:
    """Facts about the frames of an image layer.

    Attributes:
        source: Files that the frames are read from.
        pixel_size_um: Size of a pixel in um; None if the file does not say it.
        frame_rate_hz: Frames per second; None if the file does not say it.
        shown: Open stack that the layer reads from.
    """

    source: StackSource
    pixel_size_um: float | None
    frame_rate_hz: float | None
    shown: FrameStack | None = None


@dataclass(frozen=True)
class Labelled:
    """Facts about the label maps of a labels layer.

    Attributes:
        class_names: Name of each class id.
        found: Label maps as they were before all corrections, and the corrected ones.
        recording: Name of the recording.
        source: Files of its frames; None if they are not known.
        folder: Folder of `amseg segment`; None for label maps that are not written.
        preset: Name or folder of the network; None for other labels.
        pixel_size_um: Size of a pixel in um; None if unknown.
        frame_rate_hz: Frames per second; None if unknown.
    """

    class_names: tuple[str, ...]
    found: LabelStack
    recording: str
    source: StackSource | None = None
    folder: Path | None = None
    preset: str | None = None
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None


class _ByFrame:
    """Frames behind the indexing that dask asks for; a frame that cannot be read is 0."""

    ndim = 3

    def __init__(self, frames: Frames, dtype: np.dtype) -> None:
        self._frames = frames
        self.shape = tuple(frames.shape)
        self.dtype = dtype

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        numbers = np.arange(self.shape[0])[key[0]]
        if numbers.ndim == 0:
            return np.asarray(self._read(int(numbers))[key[1], key[2]])
        return np.stack([self._read(number) for number in numbers.tolist()])[:, key[1], key[2]]

    def _read(self, number: int) -> np.ndarray:
        try:
            return np.asarray(self._frames[number])
        except ReadError:
            return np.zeros(self.shape[1:], self.dtype)


def lazy_frames(frames: Frames, dtype: np.dtype) -> dask.array.Array:
    """Give frames as an array that reads a frame when it is shown.

    Args:
        frames: Stack `(frames, height, width)`; only one thread at a time reads from it.
        dtype: Type of its pixels.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> stack = open_stack("sample:esrf-welding")
        >>> lazy = lazy_frames(stack, stack.dtype)
        >>> lazy.chunks[0], int(lazy[3].max().compute()) == int(stack[3].max())
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), True)
    """
    chunks = (1, *frames.shape[1:])
    lazy: dask.array.Array = dask.array.from_array(  # type: ignore[no-untyped-call]
        _ByFrame(frames, dtype), chunks, name=False, lock=True, meta=np.empty((0, 0, 0), dtype)
    )
    return lazy


def image_layer(source: StackSource) -> LayerTuple:
    """Make an image layer that reads its frames when they are shown.

    Raises:
        ReadError: It cannot be opened, or none of its frames can be read.
    """
    stack = source.open()
    known = Recorded(source, stack.pixel_size_um, stack.frame_rate_hz, stack)
    more = {"name": source.name, "metadata": {KEY: known}, **_contrast(stack)}
    return lazy_frames(stack, stack.dtype), more | in_place(stack.pixel_size_um), "image"


def in_place(pixel_size_um: float | None) -> dict[str, Any]:
    """Give the arguments of a layer that name its axes, and put its pixels in micrometres."""
    if pixel_size_um is None:
        return {"axis_labels": AXES}
    scale = (1.0, pixel_size_um, pixel_size_um)
    return {"axis_labels": AXES, "scale": scale, "units": ("pixel", "um", "um")}


def like(layer: Image | Labels) -> dict[str, Any]:
    """Give the arguments that put a layer where another one of three dimensions is."""
    if layer.ndim != 3:
        return {}
    return {"axis_labels": AXES, "scale": tuple(layer.scale), "units": tuple(layer.units)}


def labels_layer(labels: np.ndarray, known: Labelled) -> LayerTuple:
    """Make a labels layer with the colours and names of the classes.

    Args:
        labels: Class ids, uint8 `(frames, height, width)`; napari's tools write into them.
    """
    more = {
        "name": f"{known.recording} labels",
        "metadata": {KEY: known},
        "colormap": class_colormap(known.class_names),
        "features": {"index": list(range(len(known.class_names))), "class": [*known.class_names]},
        "opacity": 0.5,
        **in_place(known.pixel_size_um),
    }
    return labels, more, "labels"


def class_colormap(class_names: tuple[str, ...]) -> Any:
    """Make a colour map of the classes: background is clear, pixels of no class are grey."""
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, np.ndarray] = {
        number: np.array([*colour / 255, 1.0])
        for number, colour in enumerate(class_colours(class_names))
    }
    colours[IGNORE] = np.array([0.5, 0.5, 0.5, 1.0])
    colours[None] = np.zeros(4)
    if class_names[0] == "background":
        colours[0] = np.zeros(4)
    return DirectLabelColormap(color_dict=colours)


def run_layer(folder: Path, source: StackSource | None) -> LayerTuple:
    """Make a labels layer of what `amseg segment` wrote.

    Args:
        source: Files of the frames; None if they are gone.

    Raises:
        ReadError: The folder is not finished or damaged.
    """
    run = open_labelled_run(folder)
    labels = np.stack(list(run.frames()))
    record = run.record
    known = Labelled(
        run.class_names,
        LabelStack(labels.copy(), run.class_names),
        folder.resolve().name,
        source,
        folder,
        str(record["model"]) if "model" in record else None,
        record.get("pixel_size_um"),
        record.get("frame_rate_hz"),
    )
    return labels_layer(labels, known)


def recorded(layer: Image, folder: Path) -> Recorded:
    """Say where the frames of an image layer come from; frames without a file are saved.

    Args:
        layer: Image of three dimensions, or of two for a single frame.
        folder: Folder for frames that napari or another plugin opened, as NAME.tif.

    Raises:
        ReadError: The layer holds no grey frames.
    """
    known = layer.metadata.get(KEY)
    if isinstance(known, Recorded):
        return known
    if layer.rgb or layer.ndim not in (2, 3):
        raise ReadError(
            f"{layer.name}: has {layer.ndim} dimensions{' of colours' * layer.rgb}, not frames, "
            "rows and columns; choose another layer"
        )
    data = layer.data if layer.ndim == 3 else layer.data[None]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{safe_name(layer.name)}.tif"
    frames = (np.ascontiguousarray(np.asarray(frame)) for frame in data)
    dtype = np.uint8 if data.dtype == bool else data.dtype
    tifffile.imwrite(
        file, frames, shape=tuple(data.shape), dtype=dtype, photometric="minisblack", bigtiff=True
    )
    (source,), _ = find_stacks([file])
    kept = Recorded(source, None, None)
    layer.metadata[KEY] = kept
    return kept


def take_corrections(layer: Labels) -> tuple[int, ...]:
    """Take what was painted in a labels layer into its label stack; the corrected frames.

    Raises:
        ReadError: The layer is not one of this package, or holds an id that is no class.
    """
    known = labelled(layer)
    data = np.asarray(layer.data)
    for number in range(len(known.found)):
        try:
            known.found.replace(number, data[number])
        except ValueError as error:
            raise ReadError(
                f"{layer.name}, frame {number}: {error}; paint with the ids of the classes"
            ) from error
    return known.found.corrected


def labelled(layer: Labels) -> Labelled:
    """Give what is known of a labels layer.

    Raises:
        ReadError: Nothing is known: the layer does not come from this package.
    """
    known = layer.metadata.get(KEY)
    if not isinstance(known, Labelled):
        raise ReadError(
            f"{layer.name}: is no result of this plugin, so that the names of its classes are not "
            "known; segment the recording, or open its folder of results"
        )
    return known


def _contrast(stack: FrameStack) -> dict[str, Any]:
    frames = []
    for index in spread(len(stack), 3):
        try:
            frames.append(stack[index])
        except ReadError:
            continue
    if not frames:
        return {}
    levels = GreyScaling().measure(np.stack(frames))
    return {"contrast_limits": (levels.low, max(levels.high, levels.low + 1e-6))}
