"""Group files of a folder to sequences, and find missing frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from amseg_keras.read.errors import ReadError
from amseg_keras.read.formats import StackInfo, holds_datasets, is_video, open_reader
from amseg_keras.read.numbering import (
    Counted,
    NumberedName,
    check_choice,
    count_frames,
    join_decimals,
    join_signs,
    numbered_name,
)
from amseg_keras.read.stack import AS_FOUND, ReadOptions

_MOST_LOOKED_INTO = 1000
"""Most files of several frames that are opened to see whether they follow each other."""


@dataclass(frozen=True)
class Group:
    """Files that are one stack: a sequence, or a single file.

    Attributes:
        files: Files in the order of their frames.
        prefix: Common beginning of the names; the whole stem of a single file.
        numbers: Number of each file, from its name; None for a single file.
        positions: Frame number of each file, from 0, with gaps for missing ones; None for files
            that may hold several frames.
        pattern: Name of the files, with ``*`` for what changes.
        notes: Sentence for each assumption.
    """

    files: tuple[Path, ...]
    prefix: str
    numbers: tuple[int, ...] | None = None
    positions: tuple[int, ...] | None = None
    pattern: str = ""
    notes: tuple[str, ...] = ()


def natural_order(path: Path) -> tuple[object, ...]:
    """Return a sort key: ``t_-2.tif``, then ``frame2.tif``, then ``frame10.tif``."""
    name = numbered_name(path)
    # The name itself decides between 01 and 1.
    texts = tuple(text.casefold() for text in name.texts)
    pairs = tuple(zip(texts, (*name.numbers, 0), strict=True))
    return str(path.parent), pairs, path.name


def group_files(files: Sequence[Path], options: ReadOptions = AS_FOUND) -> list[Group]:
    """Join files of a folder that are frames of one sequence.

    Names of a sequence differ in the number that counts the frames; other numbers are part of the
    name. Files that hold several frames stay separate unless their metadata say that one
    follows the other, or `options.join` is set. Of each set of names only the first files are
    opened, so that 20,000 frames are found by opening one.

    Raises:
        ReadError: No name has the number that `options.sequence_by` asks for.
    """
    ordered = sorted(files, key=natural_order)
    if options.separate:
        return [_alone(file) for file in ordered]
    names = [numbered_name(file) for file in ordered]
    if options.sequence_by is not None and names:
        check_choice(options.sequence_by, names)
    patterns: dict[tuple[object, ...], list[NumberedName]] = {}
    for name in join_signs(names):
        file = name.path
        key: tuple[object, ...] = (file,)
        if name.numbers and not is_video(file):
            key = (file.parent, name.texts, file.suffix.lower())
        patterns.setdefault(key, []).append(name)
    groups: list[Group] = []
    for members in patterns.values():
        if len(members) == 1:
            groups.append(_alone(members[0].path))
            continue
        for counted in count_frames(join_decimals(members), options.sequence_by, options.join):
            groups += _to_groups(counted, options)
    return groups


def _alone(file: Path, *notes: str) -> Group:
    return Group((file,), file.stem, notes=notes)


def _to_groups(counted: Counted, options: ReadOptions) -> list[Group]:
    files = tuple(name.path for name in counted.names)
    notes: tuple[str, ...] = ()
    if counted.split or counted.has_wandering:
        notes = (_say_choice(counted, options),)
    if len(files) == 1:
        return [_alone(files[0], *notes)]
    prefix, pattern = counted.before, f"{counted.before}*{counted.behind}{files[0].suffix}"
    if counted.split:
        prefix = f"{prefix.rstrip(' ._-')}{counted.behind and '_'}{counted.behind.strip(' ._-')}"
    if _hold_one_frame(files) and not (options.join and _any_holds_several(files)):
        slots = find_slots(counted.numbers)
        notes += slots.notes
        return [Group(files, prefix, counted.numbers, slots.positions, pattern, notes)]
    why = "as asked by --join" if options.join else _why_they_follow(files)
    if why is not None:
        notes += (
            f"{len(files)} files of several frames joined in the order of their names, {why}",
        )
        return [Group(files, prefix, counted.numbers, None, pattern, notes)]
    apart = (
        f"one of {len(files)} numbered files of several frames, each a stack of its own; if they"
    )
    apart += " are parts of one recording: --join"
    return [_alone(file, *notes, apart) for file in files]


def _say_choice(counted: Counted, options: ReadOptions) -> str:
    stem = counted.names[0].path.stem
    start, end = counted.names[0].spans[counted.column]
    if len(counted.names) == 1:
        return (
            f"several numbers of the names change, as in {stem}, so this file is a stack of its "
            "own; to count frames by one of them: --sequence-by 1, 2, ... (its position)"
        )
    if not counted.split:
        by = "as asked" if options.sequence_by else "for another: --sequence-by"
        return (
            f"frames counted by the number {stem[start:end]} in {stem}, the other numbers that "
            f"change count nothing ({by})"
        )
    by = "as asked" if options.sequence_by else "for another: --sequence-by"
    return (
        f"frames counted by the number {stem[start:end]} in {stem}, files that differ in another "
        f"number are another stack ({by})"
    )


def _hold_one_frame(files: Sequence[Path]) -> bool:
    """Tell whether the files hold one frame each; the first two that can be read decide."""
    opened = 0
    for file in files:
        try:
            reader = open_reader(file)
        except ReadError:
            continue
        reader.close()
        if reader.info.frames == 1:
            return True
        opened += 1
        if opened == 2:
            return False
    return not holds_datasets(files[0]) and opened == 0


def _any_holds_several(files: Sequence[Path]) -> bool:
    """Tell whether a part of a recording holds several frames; the first part may hold one."""
    for file in files[:_MOST_LOOKED_INTO]:
        try:
            reader = open_reader(file)
        except ReadError:
            continue
        reader.close()
        if reader.info.frames > 1:
            return True
    return False


def _why_they_follow(files: Sequence[Path]) -> str | None:
    """Say why files of several frames are one recording, if their metadata say so."""
    infos: list[StackInfo] = []
    for file in files[:_MOST_LOOKED_INTO]:
        try:
            reader = open_reader(file)
        except ReadError:
            return None
        reader.close()
        infos.append(reader.info)
        if reader.info.first_number is None and reader.info.whole is None:
            return None
    if len(infos) < len(files):
        return None
    firsts = [info.first_number for info in infos]
    if None not in firsts and all(
        after.first_number == (before.first_number or 0) + before.frames
        for before, after in pairwise(infos)
    ):
        return "as the frame numbers in the files say"
    whole = {info.whole for info in infos}
    if whole == {sum(info.frames for info in infos)}:
        return "as the number of frames in the files says"
    return None


MOST_MISSING = 1000
"""Missing frames, with ten for each file, above which numbers are no counter."""


@dataclass(frozen=True)
class Slots:
    """Places of the files of a sequence in time.

    Attributes:
        positions: Frame number of each file, from 0.
        notes: Sentence for each assumption.
    """

    positions: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames, with missing ones."""
        return self.positions[-1] + 1


def find_slots(numbers: Sequence[int]) -> Slots:
    """Give each file of a sequence its place in time, with gaps where numbers are missing.

    Example:
        >>> slots = find_slots([0, 1, 2, 5])
        >>> slots.positions, slots.frames
        ((0, 1, 2, 5), 6)
        >>> slots.notes[0]
        'frames 3 to 4 are missing (2 of 6): their numbers 3 to 4 are not among the files'
    """
    closed = tuple(range(len(numbers)))
    gaps = [later - earlier for earlier, later in pairwise(numbers)]
    if not gaps:
        return Slots(closed, ())
    if min(gaps) <= 0:
        return Slots(closed, ("some numbers occur twice: frames taken in the order of the names",))
    step = math.gcd(*gaps)
    missing = sum(gaps) // step - len(gaps)
    between = f"{min(gaps)} to {max(gaps)}"
    irregular = min(gaps) != step and missing > 3 * len(numbers)
    if irregular or missing > 10 * len(numbers) + MOST_MISSING:
        return Slots(
            closed,
            (
                f"the numbers of the files are {between} apart: frames taken one after the other, "
                "so their times are right only if they were recorded at equal intervals",
            ),
        )
    said = [f"the numbers of the files advance by {step}: taken as neighbouring frames"]
    notes = said if step > 1 else []
    positions = tuple((number - numbers[0]) // step for number in numbers)
    if missing:
        notes.append(_say_missing(positions, numbers, step, missing))
    return Slots(positions, tuple(notes))


def _say_missing(positions: Sequence[int], numbers: Sequence[int], step: int, missing: int) -> str:
    places, names = [], []
    for (before, after), number in zip(pairwise(positions), numbers[:-1], strict=True):
        if after - before > 1:
            places.append(_from_to(before + 1, after - 1))
            names.append(_from_to(number + step, number + step * (after - before - 1)))
    plural = missing > 1
    more = f" and {len(places) - 6} more gaps" if len(places) > 6 else ""
    return (
        f"frame{'s' * plural} {', '.join(places[:6])}{more} {'are' if plural else 'is'} missing "
        f"({missing} of {positions[-1] + 1}): {'their' if plural else 'its'} "
        f"number{'s' * plural} {', '.join(names[:6])}{more} {'are' if plural else 'is'} not among "
        "the files"
    )


def _from_to(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
