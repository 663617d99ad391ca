"""From the files that a visitor sent to a recording in a folder of the visitor's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from amseg_keras.demo.limits import Limits, check_file, check_stack
from amseg_keras.read import ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.formats import SUPPORTED, is_supported
from amseg_keras.read.in_time import TimedReader
from amseg_keras.read.names import safe_name

FOLDER = "frames"

OPENING_S = 20.0
"""Longer than any file within the limits of a page takes to open."""

_TIMED = TimedReader(OPENING_S)


def take_in(files: Sequence[str], folder: Path, limits: Limits) -> StackSource:
    """Put files into a folder under harmless names, check them, and find the recording they are.

    Args:
        files: Paths as the server stored them; of the names, letters, digits, `_`, `-` and `.`
            are kept.
        folder: Empty or new.
        limits: The page's.

    Raises:
        ReadError: There is no file, one is not of a kind that is read or breaks a limit, or they
            are several recordings.
    """
    if not files:
        raise ReadError("choose a file first, or one of the samples")
    if len(files) > limits.frames:
        raise ReadError(f"these are {len(files):,} files and this page takes {limits.frames:,}")
    (folder / FOLDER).mkdir(parents=True)
    taken = [_take(Path(file), folder / FOLDER) for file in files]
    _TIMED.check(taken, ReadOptions(join=True))
    for path in taken:
        check_file(path, limits)
    stacks, errors = find_stacks(taken, ReadOptions(join=True))
    if errors:
        raise errors[0]
    if len(stacks) > 1:
        names = ", ".join(stack.name for stack in stacks[:4])
        raise ReadError(
            f"these files are {len(stacks)} recordings ({names}{', ...' if stacks[4:] else ''}); "
            "give one at a time, or frames whose names differ only in the number that counts them"
        )
    with stacks[0].open() as stack:
        check_stack(stack, limits)
    return stacks[0]


def _take(file: Path, folder: Path) -> Path:
    name = f"{safe_name(file.stem)}{file.suffix.lower()}"
    if not is_supported(file):
        raise ReadError(
            f"{safe_name(file.name)}: is of no type that is read here; give one of "
            f"{', '.join(SUPPORTED)}, or a sample"
        )
    path = folder / name
    if path.exists():
        raise ReadError(f"{name}: there are two files of this name; rename one")
    try:
        os.link(file, path)
    except FileNotFoundError as error:
        raise ReadError(f"{name}: was deleted here in the meantime; upload it again") from error
    except OSError:  # another disk
        shutil.copyfile(file, path)
    return path
