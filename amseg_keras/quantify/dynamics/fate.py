"""Decide where a pore comes from, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amseg_keras.quantify.dynamics.linking import MEMORY, SLACK_PX, KeyholePlaces

END_OF_RECORDING = "end of recording"
LEFT_THE_VIEW = "left the view"
JOINED_THE_KEYHOLE = "joined the keyhole"
VANISHED = "vanished"

_STEPS = 3
"""Steps over which the velocity at the end is taken."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Frames and keyholes of a recording.

    Attributes:
        frame: The readable frames, int, rising.
        keyholes: Place of the keyhole in each of these frames.
        shape: Height and width of a frame in pixels.
    """

    frame: np.ndarray
    keyholes: KeyholePlaces
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Sightings:
    """A pore in the frames in which it was seen, or all pores; arrays of one length.

    Attributes:
        frame: int, in which frame.
        x: Column of the centroid in pixels.
        y: Its row.
        depth: Below the surface in pixels.
        area: Area in pixels.
        diameter: Equivalent diameter in pixels.
        touches_keyhole: bool.
        touches_edge: bool.
    """

    frame: np.ndarray
    x: np.ndarray
    y: np.ndarray
    depth: np.ndarray
    area: np.ndarray
    diameter: np.ndarray
    touches_keyhole: np.ndarray
    touches_edge: np.ndarray

    def __getitem__(self, which: np.ndarray | list[int]) -> Sightings:
        return Sightings(*(values[which] for values in vars(self).values()))


def is_from_keyhole(track: Sightings, recording: Recording) -> bool:
    """Tell whether a pore was born at the keyhole; see `track_pores`."""
    born = int(np.searchsorted(recording.frame, track.frame[0]))
    if born == 0:
        return False
    if track.touches_keyhole[0]:
        return True
    rows = range(max(born - MEMORY - 1, 0), born + 1)
    return any(_is_beside_keyhole(track, 0, row, recording) for row in rows)


def end_of(track: Sightings, recording: Recording) -> str:
    """Tell how a pore ended; see `track_pores`."""
    last = int(np.searchsorted(recording.frame, track.frame[-1]))
    final = len(recording.frame) - 1
    if last == final:
        return END_OF_RECORDING
    if track.touches_keyhole[-1] or any(
        _is_beside_keyhole(track, -1, row, recording) for row in (last, last + 1)
    ):
        return JOINED_THE_KEYHOLE
    if track.touches_edge[-1] or _reaches_edge(track, recording.shape):
        return LEFT_THE_VIEW
    return END_OF_RECORDING if last >= final - MEMORY else VANISHED


def _is_beside_keyhole(track: Sightings, which: int, row: int, recording: Recording) -> bool:
    gap = recording.keyholes.gap(row, track.x[which], track.y[which])
    return bool(gap <= track.diameter[which] + SLACK_PX)


def _reaches_edge(track: Sightings, shape: tuple[int, int]) -> bool:
    """Tell whether the disc of a pore would be at the edge in the next frame."""
    steps = min(_STEPS, len(track.frame) - 1)
    passed = max(track.frame[-1] - track.frame[-1 - steps], 1)
    radius = track.diameter[-1] / 2
    for place, side in ((track.x, shape[1]), (track.y, shape[0])):
        expected = place[-1] + (place[-1] - place[-1 - steps]) / passed
        # Pixel centres are whole numbers: the first pixel begins half a pixel before 0.
        if not radius - 0.5 < expected < side - 0.5 - radius:
            return True
    return False


FORMED = "formed"
EARLIER = "earlier"
STATIC = "static"
UNCLEAR = "unclear"

LEAST_SIGHTINGS = 3
"""Frames in which a pore away from the keyhole must be seen before anything is said of it."""

CHANCE = 0.05
"""Probability below which an old blob that was only missed before is ruled out."""


CEASES = 0.3
"""Probability below which a pore at rest is no longer found, so that it was not formed either."""


def moves(track: Sightings) -> bool:
    """Tell whether a pore goes farther than its size and the noise of its centre explain."""
    third = max(len(track.frame) // 3, 1)
    since = track.frame - track.frame.mean()
    gone = []
    for place in (track.x, track.y):
        # A steady creep shows in the slope, a step in the medians of both ends.
        slope = since @ place / max(float(since @ since), 1.0)
        step = np.median(place[-third:]) - np.median(place[:third])
        gone.append(max(abs(slope) * np.ptp(track.frame), abs(step)))
    return bool(np.hypot(*gone) > max(SLACK_PX, float(np.median(track.diameter)) / 2))


def origins(
    tracks: Sequence[Sightings], from_keyhole: Sequence[bool], recording: Recording
) -> tuple[list[str], np.ndarray]:
    """Say of every track where its pore comes from.

    - "formed": it moves and was not there in the first frame; or it began at the keyhole, at a
      place where nothing was seen before; or it rests, was seen in at least three frames, and an
      old blob would hardly have been missed in all frames before: with m sightings in the n
      frames of its life and none in k frames before, the chance is (n / (n + k))^m, which must be
      below 5 %. Frames in which the keyhole hides the place do not count. Where a keyhole is seen,
      it must have passed the column of the pore by then: solid metal that no keyhole has reached
      gets no pore that rests. A void in solid metal
      stays: one that was missed now and then, and is missed throughout afterwards, where the chance
      of that is below 30 %, was found for a while only, and is static.
    - "earlier": it was there in the first readable frame, and moves.
    - "static": it rests, at a place where a blob is in the first frame or was seen in three frames:
      an old pore, or dirt.
    - "unclear": it was seen too seldom to tell.

    Args:
        tracks: Sightings of each track, in the order of birth.
        from_keyhole: Whether each was born at the keyhole.

    Returns:
        The origin of each track; and the number of its place, int64 `(tracks,)`: tracks at rest in
        one place have the same number.
    """
    moving = np.array([moves(one) for one in tracks], bool)
    place = _places(tracks, moving)
    seen: dict[int, list[np.ndarray]] = {}
    found = []
    for number, track in enumerate(tracks):
        before = seen.setdefault(int(place[number]), [])
        at_first = track.frame[0] == recording.frame[0]
        if moving[number]:
            known = from_keyhole[number] or len(track.frame) >= LEAST_SIGHTINGS
            origin = EARLIER if at_first else FORMED if known else UNCLEAR
        elif at_first:
            origin = STATIC
        elif not before and (
            from_keyhole[number]
            or (
                was_passed(track, recording)
                and is_new(track, recording)
                and stays(track, recording)
            )
        ):
            origin = FORMED
        else:
            origin = UNCLEAR
        before.append(track.frame)
        found.append(origin)
    # A place is static as a whole: once it holds three sightings, or one in the first frame.
    for number, origin in enumerate(found):
        frames = np.concatenate(seen[int(place[number])])
        is_old = frames.min() == recording.frame[0] or len(np.unique(frames)) >= LEAST_SIGHTINGS
        if origin == UNCLEAR and not moving[number] and is_old:
            found[number] = STATIC
    return found, place


def was_passed(track: Sightings, recording: Recording) -> bool:
    """Tell whether a keyhole had passed the column of a pore when the pore was first seen.

    It is true, too, of a recording without a keyhole until then: there is nothing to compare with.
    """
    seen = slice(0, _row(track.frame[0], recording) + 1)
    keyholes = recording.keyholes
    columns = np.stack((keyholes.top[seen, 0], keyholes.tip[seen, 0]))
    there = np.isfinite(columns).all(axis=0)
    if not there.any():
        return True
    reach = np.nan_to_num(keyholes.half_width[seen][there]) + track.diameter[0] + SLACK_PX
    first, last = columns[:, there].min(axis=0) - reach, columns[:, there].max(axis=0) + reach
    return bool(first.min() <= track.x[0] <= last.max())


def is_new(track: Sightings, recording: Recording) -> bool:
    """Tell whether a blob at rest was missed before so steadily that it cannot have been there."""
    return _stands_out(track, recording, slice(0, _row(track.frame[0], recording)))


def is_gone(track: Sightings, recording: Recording) -> bool:
    """Tell whether a blob at rest was missed afterwards so steadily that it cannot be there."""
    return _stands_out(track, recording, slice(_row(track.frame[-1], recording) + 1, None))


def stays(track: Sightings, recording: Recording) -> bool:
    """Tell whether a blob at rest may be there up to the end, though a network misses it at times.

    A network that begins to find an old blob, as the frames around it change, may cease to find it.
    It misses such a blob in between, too; one that was found in every frame of its life is real.
    """
    if len(track.frame) == track.frame[-1] - track.frame[0] + 1:
        return True
    after = slice(_row(track.frame[-1], recording) + 1, None)
    return not _stands_out(track, recording, after, CEASES)


def _stands_out(
    track: Sightings, recording: Recording, others: slice, chance: float = CHANCE
) -> bool:
    count = len(track.frame)
    if count < LEAST_SIGHTINGS:
        return False
    x, y = float(np.median(track.x)), float(np.median(track.y))
    clear = recording.keyholes.gaps(x, y) > np.median(track.diameter) / 2 + SLACK_PX
    life = slice(_row(track.frame[0], recording), _row(track.frame[-1], recording) + 1)
    lived = max(int(clear[life].sum()), count)
    without = int(clear[others].sum())
    return bool((lived / (lived + without)) ** count < chance)


def _row(frame: int, recording: Recording) -> int:
    return int(np.searchsorted(recording.frame, frame))


def _places(tracks: Sequence[Sightings], moving: np.ndarray) -> np.ndarray:
    """Number the places of the tracks; those that move have a number of their own."""
    place = np.arange(len(tracks))
    resting = np.flatnonzero(~moving).tolist()
    x = np.array([np.median(tracks[number].x) for number in resting])
    y = np.array([np.median(tracks[number].y) for number in resting])
    radius = np.array([np.median(tracks[number].diameter) for number in resting]) / 2
    for later in range(1, len(resting)):
        near = np.hypot(x[:later] - x[later], y[:later] - y[later])
        same = np.flatnonzero(near <= np.maximum(radius[:later], radius[later]) + SLACK_PX)
        if len(same):
            place[resting[later]] = place[resting[same[np.argmin(near[same])]]]
    return place
