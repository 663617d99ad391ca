"""Which extension is read by which module, and the checks that every file gets first."""

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
    ".mp4": "video",
    ".avi": "video",
    ".mov": "video",
    ".mkv": "video",
}
SUPPORTED = tuple(_MODULES)


def is_supported(path: Path) -> bool:
    """Whether the extension, in any case, is one that can be read."""
    return path.suffix.lower() in _MODULES


def holds_datasets(path: Path) -> bool:
    """Whether the extension is of HDF5, the one format with named datasets."""
    return _MODULES.get(path.suffix.lower()) == "hdf5"


def may_be_single(path: Path) -> bool:
    """Whether files of this kind may hold one frame each and so be members of a sequence."""
    return is_supported(path) and _MODULES[path.suffix.lower()] not in ("hdf5", "video")


def open_reader(path: Path, dataset: str | None = None) -> FrameReader:
    """Open one file.

    Args:
        path: File of a supported extension.
        dataset: Path inside an HDF5 file; None finds it.

    Raises:
        ReadError: The file is missing, empty, a folder, forbidden, damaged or unsupported.
    """
    label = str(path)
    if not is_supported(path):
        raise ReadError(
            f"{label}: files of type '{path.suffix}' are not supported; "
            f"save it as one of {', '.join(SUPPORTED)}"
        )
    with reading(label, "a file"):
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ReadError(f"{label}: is a folder where a file is expected; give the file")
        if status.st_size == 0:
            raise ReadError(f"{label}: is empty (0 bytes); copy or export it again")
        with open(path, "rb"):
            pass
    module = import_module(f".{_MODULES[path.suffix.lower()]}", __name__)
    reader: FrameReader = (
        module.open_hdf5(path, dataset) if holds_datasets(path) else module.open_file(path)
    )
    return reader


__all__ = [
    "SUPPORTED",
    "FrameReader",
    "StackInfo",
    "holds_datasets",
    "is_supported",
    "may_be_single",
    "open_reader",
]
