"""Where a pore comes from, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.quantify.dynamics.keyhole_place import KeyholePlaces
from amseg_keras.quantify.dynamics.linking import MEMORY, SLACK_PX

END_OF_RECORDING = "end of recording"
LEFT_THE_VIEW = "left the view"
JOINED_THE_KEYHOLE = "joined the keyhole"
VANISHED = "vanished"

_STEPS = 3
"""Steps over which the velocity at the end is taken."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What there is besides pores.

    Attributes:
        frame: The readable frames, int, rising.
        keyholes: Where the keyhole is in each of them.
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
        area: In pixels.
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
    """Whether a pore was born at the keyhole; see `track_pores`."""
    born = int(np.searchsorted(recording.frame, track.frame[0]))
    if born == 0:
        return False
    if track.touches_keyhole[0]:
        return True
    rows = range(max(born - MEMORY - 1, 0), born + 1)
    return any(_is_beside_keyhole(track, 0, row, recording) for row in rows)


def end_of(track: Sightings, recording: Recording) -> str:
    """How a pore ended; see `track_pores`."""
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
    """Whether the disc of a pore would be at the edge in the next frame."""
    steps = min(_STEPS, len(track.frame) - 1)
    passed = max(track.frame[-1] - track.frame[-1 - steps], 1)
    radius = track.diameter[-1] / 2
    for place, side in ((track.x, shape[1]), (track.y, shape[0])):
        expected = place[-1] + (place[-1] - place[-1 - steps]) / passed
        # Pixel centres are whole numbers: the first pixel begins half a pixel before 0.
        if not radius - 0.5 < expected < side - 0.5 - radius:
            return True
    return False
