"""Where the files of a sequence stand in time, and which frames are missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_MISSING = 1000
"""More missing frames than this, and ten for each file, are no gaps of a counter."""


@dataclass(frozen=True)
class Slots:
    """Where the files of a sequence stand in time.

    Attributes:
        positions: Frame number of each file, from 0.
        notes: What was assumed, a sentence each.
    """

    positions: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames, the missing ones included."""
        return self.positions[-1] + 1


def find_slots(numbers: Sequence[int]) -> Slots:
    """Give each file of a sequence its place in time, with gaps where numbers are missing.

    Args:
        numbers: The number of each file, ascending.

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
