"""Write label maps for other programs: OME-TIFF and OME-Zarr, and regions of ImageJ."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.masks.labelme import IGNORE_LABEL
from amseg_keras.datasets.masks.rois import trace_pixels
from amseg_keras.quantify.scale import IN_PIXELS, Scale
from amseg_keras.read import FrameStack
from amseg_keras.report.colours import class_colours
from amseg_keras.report.label_files import BIGTIFF_BYTES, FRAMES_OF_CHUNK, zarr_module

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
    about |= ome_scale(scale)
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


def ome_scale(scale: Scale) -> dict[str, Any]:
    """Return a known pixel size and frame rate as metadata of OME-TIFF.

    Example:
        >>> ome_scale(Scale(None, 500.0))
        {'TimeIncrement': 0.002, 'TimeIncrementUnit': 's'}
    """
    known: dict[str, Any] = {}
    if scale.pixel_size_um is not None:
        for axis in "XY":
            known[f"PhysicalSize{axis}"] = scale.pixel_size_um
            known[f"PhysicalSize{axis}Unit"] = "µm"
    if scale.frame_rate_hz is not None:
        known |= {"TimeIncrement": 1 / scale.frame_rate_hz, "TimeIncrementUnit": "s"}
    return known


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
        scale: Pixel size and frame rate; an axis of unknown scale has no unit.
        stack: Recording. A frame that cannot be read is written as zeros.

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
                    {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": steps}]}
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


_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
"""Marks of a path in a region with holes."""


def write_rois(
    file: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> None:
    """Write regions for the ROI Manager of ImageJ; `amseg dataset import` reads them back.

    Every piece of a class, pixels that hang together by their sides, is a region on its frame:
    `00007-pore-2`. Its properties name the class. Holes are holes. The class `background` has no
    regions; pixels of no class are regions called `__ignore__`.

    Args:
        labels: Class ids of each frame, uint8 `(height, width)`; 255 is no class.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "rois.zip"
        >>> labels = np.array([[[0, 1, 1], [0, 0, 1]]], np.uint8)
        >>> write_rois(path, labels, labels.shape, ["background", "pore"])
        >>> with zipfile.ZipFile(path) as archive:
        ...     archive.namelist()
        ['00001-pore-1.roi']
    """
    with (
        complete_or_absent(file) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for index, frame in enumerate(labels):
            for roi in frame_rois(frame, index, shape, class_names):
                archive.writestr(f"{roi.name.replace('/', '_')}.roi", roi.tobytes())


def frame_rois(
    labels: np.ndarray, index: int, shape: tuple[int, int, int], class_names: Sequence[str]
) -> Iterator[Any]:
    """Make the regions of one frame.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        index: Number of the frame, from 0.

    Yields:
        Regions, as `roifile.ImagejRoi`.
    """
    from scipy import ndimage

    colours = class_colours(class_names)
    named = [(number, name, colours[number]) for number, name in enumerate(class_names)]
    about = f"frame: {index}\nframes: {shape[0]}\nheight: {shape[1]}\nwidth: {shape[2]}\n"
    for number, name, colour in [*named, (IGNORE, IGNORE_LABEL, np.full(3, 128, np.uint8))]:
        if name == "background":
            continue
        pieces, _ = ndimage.label(labels == number)
        for count, place in enumerate(ndimage.find_objects(pieces), 1):
            corner = place[1].start, place[0].start
            outlines = [one + corner for one in trace_pixels(pieces[place] == count)]
            roi = _region(outlines)
            roi.name = f"{index + 1:05}-{name}-{count}"
            roi.position = index + 1
            roi.props = f"class: {name}\n{about}"
            roi.stroke_color = bytes((255, *colour.tolist()))
            yield roi


def _region(outlines: Sequence[np.ndarray]) -> Any:
    """Make a region of one outline, or of one outline with holes."""
    import roifile

    if len(outlines) == 1:
        roi = roifile.ImagejRoi.frompoints(outlines[0])
        roi.roitype = roifile.ROI_TYPE.TRACED
        return roi
    path: list[float] = []
    for outline in outlines:
        for at, (x, y) in enumerate(outline.tolist()):
            path += [_LINE if at else _MOVE, x, y]
        path.append(_CLOSE)
    corners = np.concatenate(outlines)
    roi = roifile.ImagejRoi()
    roi.roitype = roifile.ROI_TYPE.RECT
    (roi.left, roi.top), (roi.right, roi.bottom) = (
        corners.min(axis=0).tolist(),
        corners.max(axis=0).tolist(),
    )
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi
