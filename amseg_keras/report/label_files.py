"""Label maps as files: TIFF stack, PNG per frame, HDF5, or Zarr."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.report.colours import class_colours
from amseg_keras.report.label_zarr import write_zarr

BIGTIFF_BYTES = (1 << 32) - (1 << 26)
"""Stacks above this need BigTIFF, which ImageJ opens through Bio-Formats."""

DEFLATE_LEVEL = 4
"""What gzip in HDF5 takes where nobody says."""

WriteLabels = Callable[[Path, Iterable[np.ndarray], tuple[int, int, int], Sequence[str]], str]
"""`(folder, labels of each frame, shape, class names)` to the name of what was written."""


def write_tiff(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> str:
    """`labels.tif`: one uint8 page a frame; ImageJ shows the paper's colours.

    The class names are in the description as JSON, where `tifffile` and ImageJ's *Show Info* find
    them.
    """
    frames, height, width = shape
    lookup = np.zeros((3, 256), np.uint8)
    lookup[:, : len(class_names)] = class_colours(class_names).T
    lookup[:, IGNORE] = 255
    with complete_or_absent(folder / "labels.tif") as temporary:
        tifffile.imwrite(
            temporary,
            (np.ascontiguousarray(frame) for frame in labels),
            shape=(frames, height, width),
            dtype=np.uint8,
            compression="zlib",
            imagej=frames * height * width < BIGTIFF_BYTES,
            bigtiff=frames * height * width >= BIGTIFF_BYTES,
            metadata={
                "axes": "TYX",
                "LUTs": [lookup],
                "min": 0.0,
                "max": 255.0,
                "Info": json.dumps({"class_names": list(class_names), "ignore": IGNORE}),
            },
        )
    return "labels.tif"


def write_png(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> str:
    """`labels/00000.png` and so on, 8-bit grey, the value is the class id.

    Frames that could not be read have no file.
    """
    (folder / "labels").mkdir(exist_ok=True)
    # Of a killed run, which may have been of another stack.
    for old in (folder / "labels").glob("*.png"):
        if re.fullmatch(r"\d{5,}|\.\d{5,}-[0-9a-f]{8}", old.stem):
            old.unlink()
    digits = max(5, len(str(shape[0] - 1)))
    for index, frame in enumerate(labels):
        if (frame == IGNORE).all():
            continue
        with complete_or_absent(folder / "labels" / f"{index:0{digits}}.png") as temporary:
            Image.fromarray(frame).save(temporary)
    return "labels"


def write_hdf5(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> str:
    """`labels.h5`: dataset `/labels`, gzip by frame, with `class_names` as attribute."""
    with complete_or_absent(folder / "labels.h5") as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset(
            "labels", shape, np.uint8, chunks=(1, *shape[1:]), compression=DEFLATE_LEVEL
        )
        dataset.attrs["class_names"] = list(class_names)
        dataset.attrs["ignore"] = IGNORE
        for index, frame in enumerate(labels):
            # Compressed here, not by HDF5, which would keep a reader of other files waiting.
            packed = zlib.compress(frame.tobytes(), DEFLATE_LEVEL)
            dataset.id.write_direct_chunk((index, 0, 0), packed)
    return "labels.h5"


LABEL_WRITERS: dict[str, WriteLabels] = {
    "tiff": write_tiff,
    "png": write_png,
    "hdf5": write_hdf5,
    "zarr": write_zarr,
}
"""By the name of the format."""
