"""Label maps as a Zarr array, which many programs can read parts of at once."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np

from amseg_keras.classes import IGNORE

NAME = "labels.zarr"

FRAMES_OF_CHUNK = 16
"""Frames in a file of the array: few enough to read one, not as many files as frames."""


def zarr_module() -> ModuleType:
    """The `zarr` package, which only this format needs.

    Raises:
        ImportError: it is not installed, or too old; the message says what to do.
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
    """`labels.zarr`: a Zarr 3 array, Zstandard, 16 frames a chunk, `class_names` as attribute.

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
        coming, first = iter(labels), 0
        while frames := list(islice(coming, FRAMES_OF_CHUNK)):
            array[first : first + len(frames)] = np.stack(frames)
            first += len(frames)
        # A folder cannot be put in place of one that is there.
        shutil.rmtree(folder / NAME, ignore_errors=True)
        os.replace(temporary, folder / NAME)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return NAME


def read_zarr(path: Path) -> tuple[tuple[int, ...], np.dtype, Iterator[np.ndarray]]:
    """Shape, dtype and the frames in turn of a label array, one chunk of it in memory at a time.

    Raises:
        ImportError: the `zarr` package is not installed.
        ValueError, OSError: it is no array, or damaged; the frames raise it too.
    """
    array = zarr_module().open_array(path, mode="r")

    def frames() -> Iterator[np.ndarray]:
        for first in range(0, array.shape[0], array.chunks[0]):
            yield from np.asarray(array[first : first + array.chunks[0]])

    return array.shape, np.dtype(array.dtype), frames()


def _install(why: str) -> str:
    return f"labels as Zarr need the zarr package, which {why}: pip install 'amseg-keras[zarr]'"
