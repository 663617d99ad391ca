"""From the files that a visitor sent to the recordings that they are; run by a worker."""

from __future__ import annotations

from pathlib import Path

from amseg_keras.demo.limits import Limits, check_file
from amseg_keras.read import ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.formats import SUPPORTED, is_supported
from amseg_keras.read.names import safe_name

MOST_RECORDINGS = 32
"""Recordings that may be sent at once."""


def harmless_name(name: str) -> str:
    """Name the file of an upload: letters, digits, `_`, `-` and `.` of its own name are kept.

    Args:
        name: Name that the visitor's browser gives.

    Raises:
        ReadError: A file of this name is of no type that is read.

    Example:
        >>> harmless_name("..%2f.. -$(x)'.png")
        '2f.._-_x.png'
    """
    path = Path(name.replace("\\", "/").rpartition("/")[2])
    if not is_supported(path):
        raise ReadError(
            f"{safe_name(path.name)}: is of no type that is read here; give one of "
            f"{', '.join(SUPPORTED)}, or a sample"
        )
    return f"{safe_name(path.stem)}{path.suffix.lower()}"


def place_for(folder: Path, name: str, limits: Limits) -> Path:
    """Give the path of a further file of an upload.

    Args:
        folder: Folder of the upload.
        name: Name that the visitor's browser gives.
        limits: The page's.

    Raises:
        ReadError: The file is of no type that is read, there is one of this name already, or there
            are too many.
    """
    path = folder / harmless_name(name)
    if path.exists():
        raise ReadError(f"{path.name}: there are two files of this name; rename one")
    if len(list(folder.iterdir())) >= limits.frames:
        raise ReadError(f"these are more files than the {limits.frames:,} of this page")
    return path


def recordings_in(folder: Path, limits: Limits) -> list[StackSource]:
    """Check the files in a folder, and find the recordings that they are.

    Args:
        folder: Files of an upload, under harmless names.
        limits: The page's.

    Raises:
        ReadError: A file breaks a limit or cannot be read, or there are too many recordings.
    """
    files = sorted(folder.iterdir())
    if not files:
        raise ReadError("choose a file first, or one of the samples")
    for path in files:
        check_file(path, limits)
    stacks, errors = find_stacks(files, ReadOptions(join=True))
    if errors:
        raise errors[0]
    if len(stacks) > MOST_RECORDINGS:
        raise ReadError(
            f"these files are {len(stacks)} recordings, and this page takes {MOST_RECORDINGS} at "
            "once; give frames of one recording names that differ only in the number that counts"
        )
    return stacks
