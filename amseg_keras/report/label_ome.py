"""Label maps in the files of the Open Microscopy Environment: OME-TIFF and OME-Zarr."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.quantify.scale import IN_PIXELS, Scale
from amseg_keras.read import FrameStack
from amseg_keras.report.colours import class_colours
from amseg_keras.report.label_files import BIGTIFF_BYTES
from amseg_keras.report.label_zarr import FRAMES_OF_CHUNK, zarr_module

Ngff = Literal["0.4", "0.5"]
"""Versions of the OME-Zarr format: 0.4 is Zarr 2, 0.5 is Zarr 3."""

LABELS = "classes"
"""Name of the labels of an OME-Zarr image."""


def write_ome_tiff(
    file: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
    scale: Scale = IN_PIXELS,
) -> None:
    """Write a stack of class ids as OME-TIFF, with the pixel size, frame rate and class names.

    Args:
        file: The .ome.tif to write.
        labels: Class ids of each frame, uint8 `(height, width)`.
        shape: Frames, height, width.
        class_names: Name of each class id; they are in the description, as JSON.
        scale: Pixel size and frame rate; what is not known is not written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.ome.tif"
        >>> labels = np.zeros((2, 16, 32), np.uint8)
        >>> write_ome_tiff(path, labels, labels.shape, ["background", "pore"], Scale(4.31, 40e3))
        >>> from amseg_keras.read import open_stack
        >>> with open_stack(path) as stack:
        ...     stack.shape, stack.pixel_size_um, round(stack.frame_rate_hz)
        ((2, 16, 32), 4.31, 40000)
    """
    known = {"class_names": list(class_names), "ignore": IGNORE}
    about: dict[str, Any] = {"axes": "TYX", "Name": file.name, "Description": json.dumps(known)}
    if scale.pixel_size_um is not None:
        for axis in "XY":
            about[f"PhysicalSize{axis}"] = scale.pixel_size_um
            about[f"PhysicalSize{axis}Unit"] = "µm"
    if scale.frame_rate_hz is not None:
        about |= {"TimeIncrement": 1 / scale.frame_rate_hz, "TimeIncrementUnit": "s"}
    frames, height, width = shape
    with complete_or_absent(file) as temporary:
        tifffile.imwrite(
            temporary,
            (np.ascontiguousarray(frame) for frame in labels),
            shape=shape,
            dtype=np.uint8,
            photometric="minisblack",
            compression="zlib",
            ome=True,
            bigtiff=frames * height * width >= BIGTIFF_BYTES,
            metadata=about,
        )


def write_ome_zarr(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
    scale: Scale = IN_PIXELS,
    stack: FrameStack | None = None,
    version: Ngff = "0.5",
) -> None:
    """Write class ids as the labels of an OME-Zarr image, with names and colours of the classes.

    The image in the store is the recording. Without it, the image is the label map itself, because
    the format has no labels without an image.

    Args:
        folder: The .ome.zarr to write; it must not be there.
        labels: Class ids of each frame, uint8 `(height, width)`.
        shape: Frames, height, width.
        class_names: Name of each class id.
        scale: Pixel size and frame rate; an axis of unknown scale has no unit.
        stack: Recording. A frame that cannot be read is written as zeros.
        version: Version of the format.

    Raises:
        ImportError: The `zarr` package is not installed.
    """
    zarr = zarr_module()
    temporary = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        root = zarr.open_group(temporary, mode="w", zarr_format=3 if version == "0.5" else 2)
        group = root.create_group("labels").create_group(LABELS)
        array = _array(group, shape, np.dtype(np.uint8), version)
        _fill(array, labels)
        _describe(group, _multiscales(LABELS, scale), version)
        _describe(group, {"image-label": _image_label(class_names)}, version)
        _describe(root["labels"], {"labels": [LABELS]}, version)
        image = _array(root, shape, np.dtype(np.uint8) if stack is None else stack.dtype, version)
        if stack is None:
            _fill(image, (array[index] for index in range(shape[0])))
        else:
            _fill(image, _readable(stack))
        _describe(root, _multiscales(folder.name, scale), version)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _array(group: Any, shape: tuple[int, int, int], dtype: np.dtype, version: Ngff) -> Any:
    more: dict[str, Any] = (
        {"dimension_names": ("t", "y", "x")}
        if version == "0.5"
        else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    )
    return group.create_array(
        "0",
        shape=shape,
        dtype=dtype,
        chunks=(min(FRAMES_OF_CHUNK, shape[0]), *shape[1:]),
        fill_value=0,
        # A chunk that is not there would look like frames that were never written.
        config={"write_empty_chunks": True},
        **more,
    )


def _fill(array: Any, frames: Iterable[np.ndarray]) -> None:
    coming, first = iter(frames), 0
    while some := list(islice(coming, array.chunks[0])):
        array[first : first + len(some)] = np.stack(some)
        first += len(some)


def _readable(stack: FrameStack) -> Iterator[np.ndarray]:
    from amseg_keras.read import ReadError

    for index in range(len(stack)):
        try:
            yield stack[index]
        except ReadError:
            yield np.zeros(stack.shape[1:], stack.dtype)


def _describe(group: Any, what: dict[str, Any], version: Ngff) -> None:
    """Add metadata to a group; version 0.5 has all of it below one key, with its version."""
    if version == "0.5":
        group.attrs["ome"] = {"version": version, **group.attrs.get("ome", {}), **what}
    else:
        for key, value in what.items():
            if key == "multiscales":
                value = [one | {"version": version} for one in value]
            elif key == "image-label":
                value = value | {"version": version}
            group.attrs[key] = value


def _multiscales(name: str, scale: Scale) -> dict[str, Any]:
    size, rate = scale.pixel_size_um, scale.frame_rate_hz
    time: dict[str, str] = {"name": "t", "type": "time"}
    if rate is not None:
        time["unit"] = "second"
    place = {"type": "space"} | ({"unit": "micrometer"} if size is not None else {})
    steps = [1.0 if rate is None else 1 / rate, *[1.0 if size is None else size] * 2]
    return {
        "multiscales": [
            {
                "name": name,
                "axes": [time, {"name": "y", **place}, {"name": "x", **place}],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [{"type": "scale", "scale": steps}],
                    }
                ],
            }
        ]
    }


def _image_label(class_names: Sequence[str]) -> dict[str, Any]:
    colours = class_colours(class_names).tolist()
    return {
        "colors": [
            {"label-value": number, "rgba": [*colour, 255]} for number, colour in enumerate(colours)
        ],
        "properties": [
            {"label-value": number, "class": name} for number, name in enumerate(class_names)
        ],
        "source": {"image": "../../"},
    }
