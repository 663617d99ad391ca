"""Assign the pores of a frame to the pores of earlier frames, around the keyhole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

MEMORY = 2
"""Readable frames in a row in which a moving pore may be missed and still be known again."""

REST_MEMORY = 10
"""The same for a pore that is found again where it was."""

SLACK_PX = 3.0
"""Error of a pore's centre in a frame in pixels, whatever the pore's size."""

_SIZE_NOISE_PX = 2.0
"""A pixel on each side of a pore says nothing about its size."""

_UNLIKE = np.log(2.0)
"""Logarithm of the ratio of diameters from which on two pores cannot be the same."""


@dataclass(frozen=True, eq=False)
class Discs:
    """Pores as discs of their area.

    Attributes:
        x: Columns of the centres in pixels, float `(pores,)`.
        y: Their rows.
        diameter: Equivalent diameters in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    diameter: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: slice | np.ndarray) -> Discs:
        return Discs(self.x[which], self.y[which], self.diameter[which])


def link(
    pores: Discs, frame_of_pore: np.ndarray, frames: np.ndarray, keyholes: KeyholePlaces
) -> np.ndarray:
    """Number the track of each pore.

    From frame to frame the pores are assigned to the tracks so that the sum of all costs is
    smallest. A link costs (distance / gate)² + (log ratio of diameters / log 2)², and at most 1:
    what would cost more stays apart. The distance is from where the track is expected, at its
    present velocity; the gate is the mean of both diameters and 3 px more for each frame that
    has passed. So discs that do not overlap between two frames are still linked, as long as
    there is no better use for them.

    A pore that is missed in up to two frames in a row is looked for where it would have moved to.
    After that it is known again only where it was, within half its diameter and 3 px, and only if
    it was missed in no more than ten readable frames in a row. Frames in which the keyhole lies
    over its place do not count as missed: a pore before or behind the keyhole comes into sight
    again.

    Args:
        pores: All pores, in the order of their frames.
        frame_of_pore: Frame of each, int `(pores,)`.
        keyholes: Place of the keyhole in each of `frames`.

    Returns:
        Track of each pore, int64 `(pores,)`, numbered from 0 in the order of birth.

    Example:
        >>> pores = Discs(np.array([9.0, 30, 11, 32]), np.full(4, 9.0), np.full(4, 6.0))
        >>> nowhere = np.full((2, 2), np.nan)
        >>> no_keyhole = KeyholePlaces(nowhere, nowhere, np.zeros(2))
        >>> link(pores, np.array([0, 0, 1, 1]), np.array([0, 1]), no_keyhole)
        array([0, 1, 0, 1])
    """
    track_of_pore = np.empty(len(pores), np.int64)
    begins = np.searchsorted(frame_of_pore, frames, "left")
    ends = np.searchsorted(frame_of_pore, frames, "right")
    open_tracks = _OpenTracks()
    for row, (frame, begin, end) in enumerate(zip(frames, begins, ends, strict=True)):
        track_of_pore[begin:end] = open_tracks.take(pores[begin:end], int(frame))
        open_tracks.forget(row, keyholes)
    return track_of_pore


def _nothing() -> np.ndarray:
    return np.empty(0)


@dataclass(eq=False)
class _OpenTracks:
    """The tracks that may continue; arrays with an entry for each."""

    number: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    seen: Discs = field(default_factory=lambda: Discs(_nothing(), _nothing(), _nothing()))
    velocity: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    last_frame: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    missed: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    born: int = 0

    def take(self, pores: Discs, frame: int) -> np.ndarray:
        """Continue tracks with the pores of a frame, and begin tracks with the others."""
        self.missed += 1
        if not len(pores):
            return np.empty(0, np.int64)
        tracks, found = self._assigned(pores, frame)
        numbers = np.full(len(pores), -1, np.int64)
        numbers[found] = self.number[tracks]
        self._move(tracks, pores[found], frame)
        new = np.flatnonzero(numbers < 0)
        numbers[new] = self.born + np.arange(len(new))
        self.born += len(new)
        self._begin(numbers[new], pores[new], frame)
        return numbers

    def forget(self, row: int, keyholes: KeyholePlaces) -> None:
        """Drop the tracks that were missed too often; not those behind the keyhole."""
        if not self.missed.any():
            return
        gap = keyholes.gap(row, self.seen.x, self.seen.y)
        hidden = (self.missed > 0) & (gap <= self.seen.diameter / 2 + SLACK_PX)
        self.missed -= hidden
        self._keep(self.missed <= REST_MEMORY)

    def _assigned(self, pores: Discs, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Assign pores to the tracks that they continue."""
        from scipy.optimize import linear_sum_assignment  # takes half a second to import

        passed = frame - self.last_frame
        lately = passed <= MEMORY + 1
        step = np.where(lately, passed, 0)
        x = self.seen.x + step * self.velocity[:, 0]
        y = self.seen.y + step * self.velocity[:, 1]
        distance = np.hypot(x[:, None] - pores.x, y[:, None] - pores.y)
        mean = (self.seen.diameter[:, None] + pores.diameter) / 2
        # Of a pore that was long out of sight only one that has not moved can be known again.
        gate = np.where(lately[:, None], mean + SLACK_PX * step[:, None], mean / 2 + SLACK_PX)
        before, now = self.seen.diameter + _SIZE_NOISE_PX, pores.diameter + _SIZE_NOISE_PX
        unlikeness = np.log(now / before[:, None]) / _UNLIKE
        # With every cost cut off at 1, not to link two pores costs 1.
        cost = np.minimum((distance / gate) ** 2 + unlikeness**2, 1.0)
        tracks, found = linear_sum_assignment(cost)
        linked = cost[tracks, found] < 1
        return tracks[linked], found[linked]

    def _move(self, tracks: np.ndarray, pores: Discs, frame: int) -> None:
        passed = frame - self.last_frame[tracks]
        moved = np.column_stack((pores.x - self.seen.x[tracks], pores.y - self.seen.y[tracks]))
        # Half of the new and half of the old: one step alone carries the noise of two centroids.
        self.velocity[tracks] = (self.velocity[tracks] + moved / passed[:, None]) / 2
        self.seen.x[tracks], self.seen.y[tracks] = pores.x, pores.y
        self.seen.diameter[tracks] = pores.diameter
        self.last_frame[tracks], self.missed[tracks] = frame, 0

    def _begin(self, numbers: np.ndarray, pores: Discs, frame: int) -> None:
        count = len(numbers)
        self.number = np.concatenate((self.number, numbers))
        self.seen = Discs(
            np.concatenate((self.seen.x, pores.x)),
            np.concatenate((self.seen.y, pores.y)),
            np.concatenate((self.seen.diameter, pores.diameter)),
        )
        self.velocity = np.concatenate((self.velocity, np.zeros((count, 2))))
        self.last_frame = np.concatenate((self.last_frame, np.full(count, frame)))
        self.missed = np.concatenate((self.missed, np.zeros(count, np.int64)))

    def _keep(self, which: np.ndarray) -> None:
        self.number, self.seen = self.number[which], self.seen[which]
        self.velocity, self.last_frame = self.velocity[which], self.last_frame[which]
        self.missed = self.missed[which]


@dataclass(frozen=True, eq=False)
class KeyholePlaces:
    """The keyhole of each readable frame as a thick line from its aperture to its tip.

    NaN in frames without a keyhole. Columns and rows are in pixels of the frame.

    Attributes:
        top: Middle of the aperture (column, row), float `(readable frames, 2)`.
        tip: Deepest point, of the same shape.
        half_width: Half the keyhole's width, float `(readable frames,)`.
    """

    top: np.ndarray
    tip: np.ndarray
    half_width: np.ndarray

    @classmethod
    def of(cls, frames: pd.DataFrame, width: int) -> KeyholePlaces:
        """Make the outlines from a table of frames of a width."""

        def column(name: str) -> np.ndarray:
            return np.asarray(frames[name].to_numpy(np.float64))

        tip = np.column_stack((column("keyhole_tip_x_px"), column("keyhole_tip_y_px")))
        x = column("keyhole_x_px")
        surface = column("surface_y_px") + column("surface_slope") * (x - (width - 1) / 2)
        top = np.column_stack((x, surface))
        # Without a plate there is no line to begin at: the tip alone has to do.
        top = np.where(np.isfinite(top).all(axis=1, keepdims=True), top, tip)
        return cls(top, tip, column("keyhole_width_px") / 2)

    def gap(self, row: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the distance of points from the keyhole of a frame in pixels, below 0 inside.

        Returns:
            float64 of that shape; infinite where there is no keyhole.

        Example:
            >>> place = KeyholePlaces(
            ...     np.array([[10.0, 5.0]]), np.array([[10.0, 25.0]]), np.array([4.0])
            ... )
            >>> place.gap(0, np.array([10.0, 20.0, 10.0]), np.array([15.0, 15.0, 30.0]))
            array([-4.,  6.,  1.])
        """
        return _gap(self.top[row], self.tip[row], self.half_width[row], x, y)

    def gaps(self, x: float, y: float) -> np.ndarray:
        """Return the distance of a point from the keyhole of every frame in pixels, below 0 inside.

        Returns:
            float64 `(readable frames,)`; infinite where there is no keyhole.
        """
        return _gap(self.top.T, self.tip.T, self.half_width, np.array(x), np.array(y))


def _gap(
    top: np.ndarray, tip: np.ndarray, half_width: np.ndarray | float, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    (left, upper), (right, lower) = top, tip
    along, down = right - left, lower - upper
    squared = along**2 + down**2
    share = ((x - left) * along + (y - upper) * down) / np.where(squared == 0, 1, squared)
    share = np.clip(share, 0, 1)
    gap = np.hypot(x - left - share * along, y - upper - share * down) - half_width
    return np.where(np.isnan(gap), np.inf, gap)
