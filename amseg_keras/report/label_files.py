"""Write label maps as a TIFF stack, a PNG for each frame, HDF5 or Zarr, and read Zarr."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import tifffile
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.report.colours import class_colours

ZARR_NAME = "labels.zarr"

FRAMES_OF_CHUNK = 16
"""Frames in a file of the array: few to read one frame, enough for few files."""


def zarr_module() -> ModuleType:
    """Import the `zarr` package, which only this format needs.

    Raises:
        ImportError: the package is missing or too old; the message says what to do.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        if error.name != "zarr":
            raise
        raise ImportError(_install("is not installed")) from error
    if not hasattr(zarr, "create_array"):
        raise ImportError(_install(f"{zarr.__version__} is too old"))
    return zarr


def write_zarr(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> str:
    """Write `labels.zarr`: a Zarr 3 array, Zstandard, 16 frames a chunk, class names as attribute.

    Raises:
        ImportError: the `zarr` package is not installed.
    """
    temporary = folder / f".labels-{secrets.token_hex(4)}.zarr"
    try:
        array = zarr_module().create_array(
            temporary,
            shape=shape,
            dtype="uint8",
            chunks=(min(FRAMES_OF_CHUNK, shape[0]), *shape[1:]),
            fill_value=IGNORE,
            attributes={"class_names": list(class_names), "ignore": IGNORE},
            dimension_names=("frame", "y", "x"),
        )
        rest, first = iter(labels), 0
        while frames := list(islice(rest, FRAMES_OF_CHUNK)):
            array[first : first + len(frames)] = np.stack(frames)
            first += len(frames)
        # A folder cannot replace another folder.
        shutil.rmtree(folder / ZARR_NAME, ignore_errors=True)
        os.replace(temporary, folder / ZARR_NAME)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return ZARR_NAME


def read_zarr(path: Path) -> tuple[tuple[int, ...], np.dtype, Iterator[np.ndarray]]:
    """Read shape, dtype and frames of a label array, with one chunk in memory at a time.

    Raises:
        ImportError: the `zarr` package is not installed.
        ValueError, OSError: the array is missing or damaged; the frames raise these too.
    """
    array = zarr_module().open_array(path, mode="r")

    def frames() -> Iterator[np.ndarray]:
        for first in range(0, array.shape[0], array.chunks[0]):
            yield from np.asarray(array[first : first + array.chunks[0]])

    return array.shape, np.dtype(array.dtype), frames()


def _install(why: str) -> str:
    return f"labels as Zarr need the zarr package, which {why}: pip install 'amseg-keras[zarr]'"


BIGTIFF_BYTES = (1 << 32) - (1 << 26)
"""Stacks above this need BigTIFF, which ImageJ opens through Bio-Formats."""

DEFLATE_LEVEL = 4
"""Level of gzip in HDF5 by default."""

STRIP_BYTES = 1 << 18
"""Bytes of a TIFF strip before it is compressed, tifffile's default."""

WriteLabels = Callable[[Path, Iterable[np.ndarray], tuple[int, int, int], Sequence[str]], str]
"""Function of folder, label maps, shape and class names that returns the name of its file."""


def pack(labels: np.ndarray) -> bytes:
    """Compress labels as zlib does, by runs of equal bytes alone.

    Labels are large pieces of one value. Runs take half the time of zlib's usual search for
    repetitions, and the result is as small.

    Args:
        labels: Class ids, uint8.

    Example:
        >>> labels = np.repeat(np.arange(4, dtype=np.uint8), 1000)
        >>> len(pack(labels)) < 100, zlib.decompress(pack(labels)) == labels.tobytes()
        (True, True)
    """
    packer = zlib.compressobj(DEFLATE_LEVEL, strategy=zlib.Z_RLE)
    return packer.compress(np.ascontiguousarray(labels).data) + packer.flush()


def write_tiff(
    folder: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> str:
    """Write `labels.tif`: one uint8 page a frame; ImageJ shows the paper's colours.

    The description holds the class names as JSON, for `tifffile` and ImageJ's *Show Info*.
    """
    frames, height, width = shape
    lookup = np.zeros((3, 256), np.uint8)
    lookup[:, : len(class_names)] = class_colours(class_names).T
    lookup[:, IGNORE] = 255
    rows = min(max(STRIP_BYTES // width, 1), height)
    with complete_or_absent(folder / "labels.tif") as temporary:
        tifffile.imwrite(
            temporary,
            (pack(frame[top : top + rows]) for frame in labels for top in range(0, height, rows)),
            shape=(frames, height, width),
            dtype=np.uint8,
            compression="zlib",
            rowsperstrip=rows,
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
    """Write `labels/00000.png` and so on, 8-bit grey class ids; unreadable frames have no file."""
    (folder / "labels").mkdir(exist_ok=True)
    # Delete the files of a killed run, perhaps of another stack.
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
    """Write `labels.h5`: dataset `/labels`, gzip by frame, class names as attribute."""
    with complete_or_absent(folder / "labels.h5") as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset(
            "labels", shape, np.uint8, chunks=(1, *shape[1:]), compression=DEFLATE_LEVEL
        )
        dataset.attrs["class_names"] = list(class_names)
        dataset.attrs["ignore"] = IGNORE
        for index, frame in enumerate(labels):
            # HDF5 would lock out the thread that reads other files while it compresses.
            dataset.id.write_direct_chunk((index, 0, 0), pack(frame))
    return "labels.h5"


LABEL_WRITERS: dict[str, WriteLabels] = {
    "tiff": write_tiff,
    "png": write_png,
    "hdf5": write_hdf5,
    "zarr": write_zarr,
}
"""Writers by the name of the format."""
