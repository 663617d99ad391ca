"""Which files of a folder are frames of one sequence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amseg_keras.read.errors import ReadError
from amseg_keras.read.formats import may_be_single, open_reader

NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
"""The stem of a numbered frame: what is before the last number, the number, what is behind it."""


@dataclass(frozen=True)
class Group:
    """Files that are one stack: a sequence, or a single file.

    Attributes:
        files: In natural order.
        prefix: What the names have before the number; the whole stem of a single file.
    """

    files: tuple[Path, ...]
    prefix: str


def natural_order(path: Path) -> tuple[object, ...]:
    """Sort key that puts ``frame2.tif`` before ``frame10.tif``."""
    parts = re.split(r"(\d+)", path.name)
    # Odd parts are digits. The name itself decides between 01 and 1.
    numbered = tuple((int(p), "") if i % 2 else (0, p.casefold()) for i, p in enumerate(parts))
    return str(path.parent), numbered, path.name


def group_files(files: Sequence[Path]) -> list[Group]:
    """Join files of a folder that differ only in the last number of their names.

    Files that hold several frames stay on their own; of each set of names only the first file
    that can be opened is asked, so that 20,000 frames are found by opening one.
    """
    sets: dict[tuple[object, ...], list[Path]] = {}
    for file in sorted(files, key=natural_order):
        match = NUMBERED.fullmatch(file.stem)
        key: tuple[object, ...] = (file,)
        if match is not None and may_be_single(file):
            key = (file.parent, match[1], match[3], file.suffix.lower())
        sets.setdefault(key, []).append(file)
    groups: list[Group] = []
    for members in sets.values():
        if len(members) > 1 and _hold_one_frame(members):
            match = NUMBERED.fullmatch(members[0].stem)
            groups.append(Group(tuple(members), match[1] if match else ""))
        else:
            groups += [Group((file,), file.stem) for file in members]
    return groups


def _hold_one_frame(files: Sequence[Path]) -> bool:
    for file in files:
        try:
            reader = open_reader(file)
        except ReadError:
            continue
        reader.close()
        return reader.info.frames == 1
    return True
