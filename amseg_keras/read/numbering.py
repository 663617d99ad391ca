"""Find the number in file names that counts the frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path

from amseg_keras.read.errors import ReadError

# A hyphen behind a separator is a sign, and none behind a letter or a digit; U+2212 is always one.
_MINUS = "\u2212"
_NUMBER = re.compile(rf"(?:(?<=[\s_.=(\[,;\-])|^)[-+]\d+|{_MINUS}?\d+")
_UNIT = re.compile(
    r"(kW|W|mm_?s|mms|mm|um|µm|kV|keV|kJ|J|degC|deg|°C|Hz|kHz|percent|pct|mA|uA|µA|mV|mbar|bar|kPa"
    r"|MPa)(?![A-Za-z])"
)
_COUNTS = frozenset({"time", "timepoint", "tp", "t", "frame", "frames", "fr", "f"})
_PICTURE = frozenset({"img", "image", "im", "pic", "picture"})
_OUTER = frozenset(
    {"channel", "ch", "c", "position", "pos", "p", "xy", "z", "slice", "layer", "series"}
    | {"run", "scan", "exp", "experiment", "sample", "plate", "track", "spot", "camera", "cam"}
)


@dataclass(frozen=True)
class NumberedName:
    """The parts of a file name.

    Attributes:
        path: The file.
        texts: Texts between the numbers; one more than there are numbers.
        numbers: Numbers with their signs.
        spans: Begin and end of each number in the stem.

    Example:
        >>> numbered_name(Path("scan_0001_200W_-3.tif")).numbers
        (1, 200, -3)
    """

    path: Path
    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


@lru_cache(1 << 14)
def numbered_name(path: Path) -> NumberedName:
    """Split a file name into texts and numbers."""
    stem = path.stem
    matches = list(_NUMBER.finditer(stem))
    ends = [0, *(match.end() for match in matches)]
    starts = [*(match.start() for match in matches), len(stem)]
    texts = tuple(stem[end:start] for end, start in zip(ends, starts, strict=True))
    numbers = tuple(int(match[0].replace(_MINUS, "-")) for match in matches)
    return NumberedName(path, texts, numbers, tuple(match.span() for match in matches))


def join_signs(names: Sequence[NumberedName]) -> list[NumberedName]:
    """Read ``t-2, t-1, t0, t1`` as numbers with a sign, if the names run through zero."""
    zeros = {
        (name.path.parent, name.texts, name.path.suffix) for name in names if 0 in name.numbers
    }
    joined = []
    for name in names:
        for at in range(len(name.numbers)):
            text = name.texts[at]
            bare = (*name.texts[:at], text[:-1], *name.texts[at + 1 :])
            if text.endswith("-") and (name.path.parent, bare, name.path.suffix) in zeros:
                signed = (*name.numbers[:at], -name.numbers[at], *name.numbers[at + 1 :])
                name = replace(name, texts=bare, numbers=signed)
        joined.append(name)
    return joined


def join_decimals(names: Sequence[NumberedName]) -> list[NumberedName]:
    """Read ``a_0.5, a_1.0, a_1.5`` as one number a name, if these are equal steps.

    The number is then in units of its last digit: 5, 10, 15.

    Example:
        >>> names = [numbered_name(Path(f"a_{text}.tif")) for text in ("0.5", "1.0", "1.5")]
        >>> [name.numbers for name in join_decimals(names)]
        [(5,), (10,), (15,)]
    """
    for at in range(len(names[0].numbers) - 1):
        columns = {(name.numbers[at], name.numbers[at + 1]) for name in names}
        digits = {name.spans[at + 1][1] - name.spans[at + 1][0] for name in names}
        both = all(len({pair[part] for pair in columns}) > 1 for part in (0, 1))
        if names[0].texts[at + 1] != "." or not both or len(names) < 3 or len(digits) > 1:
            continue
        scale = 10 ** digits.pop()
        joined = [_joined_decimal(name, at, scale) for name in names]
        values = sorted(name.numbers[at] for name in joined)
        if len({later - earlier for earlier, later in pairwise(values)}) == 1 and values[0] >= 0:
            return joined
    return list(names)


def _joined_decimal(name: NumberedName, at: int, scale: int) -> NumberedName:
    number = name.numbers[at] * scale + name.numbers[at + 1]
    span = (name.spans[at][0], name.spans[at + 1][1])
    return replace(
        name,
        texts=(*name.texts[: at + 1], *name.texts[at + 2 :]),
        numbers=(*name.numbers[:at], number, *name.numbers[at + 2 :]),
        spans=(*name.spans[:at], span, *name.spans[at + 2 :]),
    )


@dataclass(frozen=True)
class Counted:
    """Files that are counted by one number of their names.

    Attributes:
        names: Names in the order of that number.
        column: Index of the number that counts, from 0.
        stamps: Numbers that change too without counting, such as a clock or a temperature.
        split: True if other numbers keep files of the same pattern apart.
    """

    names: tuple[NumberedName, ...]
    column: int
    stamps: frozenset[int]
    split: bool

    @property
    def numbers(self) -> tuple[int, ...]:
        """Counting number of each file."""
        return tuple(name.numbers[self.column] for name in self.names)

    @property
    def has_wandering(self) -> bool:
        """True if another number than the counter changes, and does not rise with it."""
        return any(
            later.numbers[at] <= earlier.numbers[at]
            for at in self.stamps
            for earlier, later in pairwise(self.names)
        )

    @property
    def before(self) -> str:
        """The part of the names in front of the first number that changes."""
        first = min({self.column, *self.stamps})
        name = self.names[0]
        return name.path.stem[: name.spans[first][0]]

    @property
    def behind(self) -> str:
        """The part of the names behind the last number that changes."""
        last = max({self.column, *self.stamps})
        name = self.names[0]
        return name.path.stem[name.spans[last][1] :]


def count_frames(
    names: Sequence[NumberedName], by: str | None, join: bool = False
) -> list[Counted]:
    """Split files of one pattern into sequences.

    The number that changes counts the frames. If several change, the number that never repeats
    counts; else ``time`` or ``frame`` before a number decides, then the last. Numbers with a unit
    and numbers behind ``run``, ``layer``, ``position`` and the like separate sequences.

    Args:
        by: The user's choice; see `ReadOptions`. The other numbers keep files apart only where this
            one repeats.
        join: True to make one sequence of files that would all stay single.

    Returns:
        The sequences; a file without a counting number is a sequence by itself.
    """
    columns = range(len(names[0].numbers))
    varying = [at for at in columns if len({name.numbers[at] for name in names}) > 1]
    if by is not None:
        column = _asked_column(names[0], by)
        stamps = frozenset[int]() if column is None else _idle(names, column, varying)
    else:
        column, stamps = _counting_column(names, varying)
    outer = [at for at in varying if at != column and at not in stamps]
    if join and by is None and (unique := _unique(names, varying)):
        keys = {tuple(name.numbers[at] for at in outer) for name in names}
        if column is None or len(keys) == len(names):
            column = column if column in unique else unique[0]
            stamps, outer = frozenset(varying) - {column}, []
    if column is None:
        return [Counted((name,), 0, frozenset(), True) for name in names]
    sequences: dict[tuple[int, ...], list[NumberedName]] = {}
    for name in names:
        sequences.setdefault(tuple(name.numbers[at] for at in outer), []).append(name)
    return [
        Counted(
            tuple(
                sorted(members, key=lambda one: (one.numbers[column], one.numbers, one.path.name))
            ),
            column,
            stamps,
            len(sequences) > 1,
        )
        for members in sequences.values()
    ]


def likely_column(name: NumberedName, by: str | None = None) -> int | None:
    """Choose the number that counts frames from one name alone, for files to come.

    Example:
        >>> [likely_column(numbered_name(Path(name))) for name in ("a_1_007.tif", "a_07_200W.tif")]
        [1, 0]
    """
    if not name.numbers:
        return None
    if by is not None:
        return _asked_column(name, by)
    columns = range(len(name.numbers))
    words = {at: _word(name.texts[at]) for at in columns}
    free = [at for at in columns if not _UNIT.match(name.texts[at + 1])]
    free = [at for at in free if words[at] not in _OUTER] or free or list(columns)
    for wanted in (_COUNTS, _PICTURE):
        if found := [at for at in free if words[at] in wanted]:
            return found[0]
    return free[-1]


def _word(text: str) -> str:
    """Return the word in front of a number."""
    return re.split(r"[^A-Za-z]+", text.rstrip(" ._-=("))[-1].lower()


def _asked_column(name: NumberedName, by: str) -> int | None:
    last = len(name.numbers) - 1
    if by in ("first", "last"):
        return 0 if by == "first" else last
    if by.lstrip("-").isdigit():
        position = int(by)
        column = position - 1 if position > 0 else last + 1 + position
        return column if 0 <= column <= last and position else None
    wanted = by.casefold().strip(" ._-=")
    for at in range(last + 1):
        if name.texts[at].casefold().rstrip(" ._-=").endswith(wanted):
            return at
    return None


def _counting_column(
    names: Sequence[NumberedName], varying: Sequence[int]
) -> tuple[int | None, frozenset[int]]:
    none = frozenset[int]()
    if not varying:
        return len(names[0].numbers) - 1, none
    if len(varying) == 1:
        return varying[0], none
    texts = names[0].texts
    words = {at: _word(texts[at]) for at in varying}
    units = {at for at in varying if _UNIT.match(texts[at + 1])}
    plain = [at for at in varying if at not in units]
    free = [at for at in plain if words[at] not in _OUTER] or plain
    if not free:
        return None, none
    column = _without_clock(names, plain, free)
    told = {at for at in varying if words[at] in _OUTER}
    if len(_unique(names, [column])) == 1:
        # A power that is set stays for a while; one that is measured comes back to its values.
        told |= {at for at in units if not _returns(names, column, at)}
        return column, frozenset(varying) - told - {column}
    stamps = {at for at in varying if at != column and _rises_with(names, column, at)}
    return column, frozenset(stamps - told - units)


def _without_clock(names: Sequence[NumberedName], plain: Sequence[int], free: list[int]) -> int:
    """Choose the number that counts, not a clock that accompanies it."""
    unique = _unique(names, free)
    if len(unique) == 1:
        # A number that runs on over a grid of positions and times counts the files, not the frames.
        others = [at for at in plain if at != unique[0]]
        told_apart = {tuple(name.numbers[at] for at in others) for name in names}
        if len(told_apart) < len(names):
            return unique[0]
        free = [at for at in free if at != unique[0]] or free
    if len(unique) > 1:
        free = unique
    for wanted in (_COUNTS, _PICTURE):
        if found := [at for at in free if _word(names[0].texts[at]) in wanted]:
            return found[0]
    if len(unique) > 1:
        return min(unique, key=lambda at: (_spread(names, at), at))
    return free[-1]


def _unique(names: Sequence[NumberedName], columns: Sequence[int]) -> list[int]:
    """Return the numbers that never repeat."""
    return [at for at in columns if len({name.numbers[at] for name in names}) == len(names)]


def _returns(names: Sequence[NumberedName], column: int, at: int) -> bool:
    """Tell whether a number returns to an earlier value after it has changed."""
    values = [name.numbers[at] for name in sorted(names, key=lambda one: one.numbers[column])]
    changes = sum(earlier != later for earlier, later in pairwise(values))
    return changes >= len(set(values))


def _idle(names: Sequence[NumberedName], column: int, varying: Sequence[int]) -> frozenset[int]:
    """Return the numbers that are not needed, because another number identifies every file."""
    others = [at for at in varying if at != column]
    best: tuple[int, ...] | None = None
    fewest = len(names) + 1
    for kept in (
        kept for size in range(min(len(others), 2) + 1) for kept in combinations(others, size)
    ):
        keys = [tuple(name.numbers[at] for at in kept) for name in names]
        told = {(key, name.numbers[column]) for key, name in zip(keys, names, strict=True)}
        if len(told) == len(names) and len(set(keys)) < fewest:
            best, fewest = kept, len(set(keys))
        if not kept and best is not None:
            break
    return frozenset(others) - set(best) if best is not None else frozenset()


def _spread(names: Sequence[NumberedName], at: int) -> int:
    numbers = [name.numbers[at] for name in names]
    return max(numbers) - min(numbers)


def _rises_with(names: Sequence[NumberedName], column: int, at: int) -> bool:
    """Tell whether a number only repeats another one: it never repeats, and rises with it."""
    values = [name.numbers[at] for name in sorted(names, key=lambda one: one.numbers[column])]
    return all(earlier < later for earlier, later in pairwise(values)) or (
        len(set(values)) == len(values)
        and len({name.numbers[column] for name in names}) < len(names)
    )


def check_choice(by: str, names: Sequence[NumberedName]) -> None:
    """Raise if no file name has the requested number.

    Raises:
        ReadError: No name has such a number; the message shows a name.
    """
    if all(not name.numbers or _asked_column(name, by) is None for name in names):
        raise ReadError(
            f"--sequence-by {by}: no file name has such a number (the first is "
            f"{names[0].path.name}); give first, last, a position from 1, or the text before it"
        )
