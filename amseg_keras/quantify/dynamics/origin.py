"""Whether a pore was formed during the recording, was there before, or cannot be told.

A network finds a faint old pore, or a grain of dirt on a window, in some frames and misses it in
others. Such a blob begins many tracks and is never formed. What never moves counts as formed only
if it was missed so steadily before that an old blob, found as often before as after, is unlikely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amseg_keras.quantify.dynamics.fate import Recording, Sightings
from amseg_keras.quantify.dynamics.linking import SLACK_PX

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
      below 5 %. Frames in which the keyhole hides the place do not count. A void in solid metal
      stays: one that was missed now and then, and is missed throughout afterwards, where the chance
      of that is below 30 %, was found for a while only, and is static.
    - "earlier": it was there in the first readable frame, and moves.
    - "static": it rests, at a place where a blob is in the first frame or was seen in three frames:
      an old pore, or dirt.
    - "unclear": it was seen too seldom to tell.

    Args:
        tracks: Sightings of each track, in the order of birth.
        from_keyhole: Whether each was born at the keyhole.
        recording: Readable frames, and the keyhole in them.

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
            from_keyhole[number] or (is_new(track, recording) and stays(track, recording))
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
