"""Choose the reader of a file by its extension, after checks that every file gets."""

import os
import stat
from importlib import import_module
from pathlib import Path

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo

# The module of each extension is imported when a file of that kind is first opened: the libraries
# behind them take a second to import together, and most runs need one.
_MODULES = {
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".bmp": "image",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nxs": "hdf5",
    ".hdf": "hdf5",
    ".edf": "edf",
    ".edf.gz": "edf",
    ".edf.bz2": "edf",
    ".zarr": "zarr",
    ".mp4": "video",
    ".avi": "video",
    ".mov": "video",
    ".mkv": "video",
}
SUPPORTED = tuple(_MODULES)
_ARRAYS = ("tiff", "npy", "hdf5", "zarr")
_ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")


def file_type(path: Path) -> str:
    """Return the extension of a file in lower case, with two parts for compressed EDF.

    Example:
        >>> file_type(Path("scan.EDF.gz")), file_type(Path("a.b.tif"))
        ('.edf.gz', '.tif')
    """
    ending = "".join(path.suffixes[-2:]).lower()
    return ending if ending in _MODULES else path.suffix.lower()


def is_supported(path: Path) -> bool:
    """Tell whether files with this extension, in upper or lower case, can be read."""
    return file_type(path) in _MODULES


def is_video(path: Path) -> bool:
    """Tell whether a file has the extension of a movie."""
    return _MODULES.get(file_type(path)) == "video"


def is_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr store, which is one stack, and not a folder of files."""
    return path.is_dir() and any((path / name).is_file() for name in _ZARR_FILES)


def holds_datasets(path: Path) -> bool:
    """Tell whether a file has an extension of HDF5, the only format with named datasets."""
    return _MODULES.get(file_type(path)) == "hdf5"


def may_be_single(path: Path) -> bool:
    """Tell whether files of this kind may hold one frame each, as members of a sequence."""
    return is_supported(path) and _MODULES[file_type(path)] not in ("hdf5", "video", "zarr")


def open_reader(path: Path, dataset: str | None = None, axes: str | None = None) -> FrameReader:
    """Open one file.

    Args:
        path: File of a supported extension, or a Zarr store.
        dataset: Path inside an HDF5 file or a Zarr store; None finds it.
        axes: Meaning of the axes of an array, as in `ReadOptions`; None leaves it to the file.

    Raises:
        ReadError: The file is missing, empty, a folder, forbidden, damaged or unsupported.
    """
    label = str(path)
    with reading(label, "a file"):
        status = os.stat(path)
        store = is_store(path)
    if not store and not is_supported(path):
        raise ReadError(
            f"{label}: files of type '{path.suffix}' are not supported; "
            f"save it as one of {', '.join(SUPPORTED)}"
        )
    kind = "zarr" if store else _MODULES[file_type(path)]
    if not store:
        with reading(label, "a file"):
            if stat.S_ISDIR(status.st_mode):
                raise ReadError(f"{label}: is a folder where a file is expected; give the file")
            if not stat.S_ISREG(status.st_mode):
                raise ReadError(f"{label}: is no regular file; give a file of frames")
            if status.st_size == 0:
                raise ReadError(f"{label}: is empty (0 bytes); copy or export it again")
            with open(path, "rb"):
                pass
        if kind == "zarr":
            raise ReadError(f"{label}: is no Zarr store, which is a folder; copy all of it")
    if axes is not None and kind not in _ARRAYS:
        raise ReadError(
            f"{label}: --axes is for TIFF, NumPy, HDF5 and Zarr; leave it out for this file"
        )
    module = import_module(f".{kind}", __name__)
    reader: FrameReader
    if kind in ("hdf5", "zarr"):
        reader = module.open_dataset(path, dataset, axes)
    elif kind in _ARRAYS:
        reader = module.open_file(path, axes)
    else:
        reader = module.open_file(path)
    return reader


__all__ = [
    "SUPPORTED",
    "FrameReader",
    "StackInfo",
    "file_type",
    "holds_datasets",
    "is_store",
    "is_supported",
    "is_video",
    "may_be_single",
    "open_reader",
]
