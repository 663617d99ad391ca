"""Pores tracked through a recording: where they are born, how they move, how they end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter

from amseg_keras.quantify.dynamics.fate import (
    EARLIER,
    END_OF_RECORDING,
    FORMED,
    JOINED_THE_KEYHOLE,
    Recording,
    Sightings,
    end_of,
    is_from_keyhole,
    is_gone,
    origins,
)
from amseg_keras.quantify.dynamics.linking import Discs, KeyholePlaces, link
from amseg_keras.quantify.scale import Scale, in_units

REST_FRAMES = 8
"""Frames in which a pore must be seen at rest before it counts as frozen."""

STILL_PX = 1.0
"""Largest distance in pixels of a frozen pore's centre from its place."""

_NOISIEST_PX = 3.0
"""The same, however noisy its outline is."""

LEAST_FRAMES = 4
"""Frames from which on a rate is measured: with fewer, noise alone decides it."""

_GROWN = 0.95
"""Share of its largest area with which a pore counts as grown up."""

_WINDOW = 5
"""Frames of the running median: it leaves steady motion and its end as they are."""


@dataclass(frozen=True)
class Motion:
    """Growth and motion of a pore.

    Attributes:
        growth: Pixels of area per frame; NaN where too few frames tell it.
        drift_x: Columns per frame, NaN as well.
        drift_y: Rows per frame, NaN as well.
        frozen_frame: First frame in which the pore rests; NaN if it never rests.
        growth_error: Standard error of the growth; NaN where there is none.
        drift_x_error: Standard error of the drift.
        drift_y_error: Standard error of the drift.
    """

    growth: float
    drift_x: float
    drift_y: float
    frozen_frame: float
    growth_error: float = np.nan
    drift_x_error: float = np.nan
    drift_y_error: float = np.nan


UNKNOWN = Motion(np.nan, np.nan, np.nan, np.nan)
"""No rates: the pore was seen too seldom, or never moves."""


def describe(frame: np.ndarray, x: np.ndarray, y: np.ndarray, area: np.ndarray) -> Motion:
    """Measure growth, drift and freezing of one pore.

    - **Growth** is the least-squares slope of the area from birth until the area, as the running
      median of five frames, has come to 95 % of its largest value: after that noise alone
      decides which frame has the largest. 0 of a pore that is born at that size, NaN of one that
      comes to that size within fewer than four frames.
    - **Frozen** is a pore from the first frame after which its centroid, as the running median of
      five frames, stays within a pixel of where it ends (the median of its last eight frames),
      for at least eight frames and without creeping: the line through the rest of its path is
      shorter than half a pixel. Where the centroid's noise, found from its second differences, is
      large, the pixel is three of its standard deviations (3 px at most), and the half pixel is
      two of those of the ends of such a line. A pore slower than about 0.07 px a frame cannot be
      told from a frozen one; with a noise of 0.4 px, one slower than about 0.2.
    - **Drift** is the least-squares velocity until it is frozen, or until its end; 0 of a pore
      that is frozen from its birth, NaN where it was seen in fewer than four frames.
    - **Errors** are the standard errors of these slopes.

    Args:
        frame: Numbers of the frames with the pore, int `(sightings,)`, rising.
        x: Columns of its centroid in pixels, float of the same shape.
        area: Area in pixels.

    Example:
        >>> frame = np.arange(30)
        >>> x = 10 + 1.5 * np.minimum(frame, 12)
        >>> describe(frame, x, np.full(30, 40.0), 20 + 2.0 * np.minimum(frame, 6))
        Motion(growth=2.0, drift_x=1.5, drift_y=0.0, frozen_frame=12.0, growth_error=0.0,
               drift_x_error=0.0, drift_y_error=0.0)
    """
    if len(frame) < LEAST_FRAMES:
        return UNKNOWN
    smooth = _smooth(area)
    until_grown = slice(int(np.argmax(smooth >= _GROWN * smooth.max())) + 1)
    frozen = _frozen(frame, x, y)
    moving = slice(len(frame) if frozen is None else frozen + 1)
    growth, growth_error = _slope(frame[until_grown], area[until_grown])
    drift_x, drift_x_error = _slope(frame[moving], x[moving])
    drift_y, drift_y_error = _slope(frame[moving], y[moving])
    return Motion(
        growth,
        drift_x,
        drift_y,
        np.nan if frozen is None else float(frame[frozen]),
        growth_error,
        drift_x_error,
        drift_y_error,
    )


def _frozen(frame: np.ndarray, x: np.ndarray, y: np.ndarray) -> int | None:
    """Return the index of the first sighting at rest."""
    if len(frame) < REST_FRAMES:
        return None
    noise = max(_noise(x), _noise(y))
    still = np.clip(3 * noise, STILL_PX, _NOISIEST_PX)
    x, y = _smooth(x), _smooth(y)
    away = np.hypot(x - np.median(x[-REST_FRAMES:]), y - np.median(y[-REST_FRAMES:])) > still
    first = int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0
    creep = np.hypot(_slopes_to_end(frame, x), _slopes_to_end(frame, y)) * (frame[-1] - frame)
    # White noise tilts a line through n points so that its ends part by sqrt(12 / n) of it.
    by_noise = noise * np.sqrt(12 / np.arange(len(frame), 0, -1))
    rests = creep <= np.maximum(2 * by_noise, STILL_PX / 2)
    resting = np.flatnonzero(rests[first : len(frame) - REST_FRAMES + 1])
    return first + int(resting[0]) if len(resting) else None


def _smooth(values: np.ndarray) -> np.ndarray:
    return np.asarray(median_filter(values.astype(np.float64), size=_WINDOW, mode="nearest"))


def _noise(values: np.ndarray) -> float:
    """Estimate the standard deviation of white noise on a smooth path with a few jumps."""
    return float(np.median(np.abs(np.diff(values, 2))) / 0.6745 / np.sqrt(6))


def _slope(frame: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Fit a least-squares slope and its standard error; 0 for one value, NaN for two or three."""
    if len(frame) == 1:
        return 0.0, np.nan
    if len(frame) < LEAST_FRAMES:
        return np.nan, np.nan
    since = frame - frame.mean()
    squared = float(since @ since)
    slope = float(since @ values) / squared
    left = values - values.mean() - slope * since
    # What is left of an exact line is the rounding of its numbers.
    error = float(np.sqrt(left @ left / (len(frame) - 2) / squared))
    return slope, error if error > 1e-9 * max(abs(slope), 1.0) else 0.0


def _slopes_to_end(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fit a least-squares slope from each value to the last one; 0 at the last."""
    # Sums from the end, about the last point: large numbers would eat the digits.
    since, moved = (frame - frame[-1])[::-1], (values - values[-1])[::-1]
    count = np.arange(1, len(frame) + 1)
    sums = np.cumsum(since), np.cumsum(moved)
    products = count * np.cumsum(since * moved) - sums[0] * sums[1]
    squares = count * np.cumsum(since**2) - sums[0] ** 2
    return np.asarray(
        np.divide(products, squares, out=np.zeros(len(frame)), where=squares > 0)[::-1]
    )


@dataclass(frozen=True, eq=False)
class PoreTracks:
    """The pores of a recording, linked through time.

    Attributes:
        pores: The table of pores with the column `track`.
        tracks: A row for each track.
        events: A row for each pore that was formed or that ended, in the order of time.

    Example:
        A pore that stays where it is, in all frames:

        >>> pores = pd.DataFrame({
        ...     "frame": [0, 1, 2], "pore_area_px": 28, "equivalent_diameter_px": 6.0,
        ...     "depth_px": 20.0, "x_px": 30.0, "y_px": 40.0, "touches_keyhole": False,
        ...     "touches_edge": False,
        ... })
        >>> frames = pd.DataFrame({
        ...     "frame": range(3), "surface_slope": 0.0, "surface_y_px": 20.0,
        ...     "keyhole_width_px": 0.0, "keyhole_x_px": np.nan, "keyhole_tip_x_px": np.nan,
        ...     "keyhole_tip_y_px": np.nan,
        ... })
        >>> found = track_pores(pores, frames, (64, 64), Scale())
        >>> found.pores["track"].tolist(), found.tracks["frames"].tolist(), len(found.events)
        ([0, 0, 0], [3], 0)
    """

    pores: pd.DataFrame
    tracks: pd.DataFrame
    events: pd.DataFrame


def track_pores(
    pores: pd.DataFrame, frames: pd.DataFrame, shape: tuple[int, int], scale: Scale
) -> PoreTracks:
    """Follow every pore from its birth to its end.

    How pores are linked is said at `linking.link`, how growth, drift and freezing are measured
    at `motion.describe`.

    - **Born** is a track in its first frame. Where its pore comes from is said in `origin`, as
      `origin.origins` tells it: "formed" during the recording, "earlier" and moving, "static" (an
      old pore or dirt), or "unclear". Only what was formed has an event "pore formed", and may
      have `from_keyhole`. What is static or unclear has no growth and no drift.
    - **From the keyhole** is a pore that touches it when it is born, or whose centroid is then no
      farther from it than one equivalent diameter and 3 px: from the keyhole of that frame or of
      the three readable frames before, since a pore may be missed in its first frames as in any
      other. The keyhole is a line from the middle of its aperture to its tip, as thick as the
      keyhole is wide.
    - **The end** is "end of recording" where the pore is there in the last readable frame;
      "joined the keyhole" where it touched the keyhole when it was last seen, or the keyhole of
      that frame or the next is as near as above; "left the view" where it touched the edge of the
      frame, or would at its velocity reach it in the next frame; "end of recording" also where it
      was seen up to two readable frames before the last one; "vanished" otherwise.

    Args:
        pores: A row for each pore and frame: `frame`, `pore_area_px`, `equivalent_diameter_px`,
            `depth_px`, `x_px`, `y_px`, `touches_keyhole`, `touches_edge`.
        frames: A row for each readable frame, in their order: `frame`, `surface_slope`,
            `surface_y_px`, `keyhole_width_px`, `keyhole_x_px`, `keyhole_tip_x_px`,
            `keyhole_tip_y_px`. Frames may be missing.
        shape: Height and width of a frame in pixels.
        scale: Size of a pixel and frame rate; what is known of them adds columns in um, um²/s,
            mm/s and s.

    Returns:
        - `pores`: as given, and `track` (int, from 0 in the order of birth).
        - `tracks`: `track`, `first_frame`, `last_frame`, `frames` (in which it was seen),
          `origin`, `place` (one number for all tracks at rest in one place), `from_keyhole`,
          `birth_x_px`, `birth_y_px`, `birth_depth_px`, `birth_area_px`,
          `largest_area_px`, `final_area_px`, `growth_px_per_frame`, `drift_x_px_per_frame`,
          `drift_y_px_per_frame` (NaN of a pore that was seen in fewer than four frames), their
          standard errors `growth_error_px_per_frame` and so on, `frozen_frame` (NaN when never),
          `end`; and `birth_depth_um`, `..._area_um2`, `growth_um2_per_s`,
          `drift_x_mm_per_s`, `drift_y_mm_per_s`.
        - `events`: `frame`, `event` ("pore formed" in the first frame, "pore ended" in the last
          one in which the pore was seen, not at the end of the recording), `track`, `x_px`,
          `y_px`, `equivalent_diameter_px`, `from_keyhole`; and `time_s`,
          `equivalent_diameter_um`.

    Raises:
        ValueError: There is a pore in a frame that is not in `frames`.

    Example:
        >>> pores = pd.DataFrame({
        ...     "frame": [1, 2, 3, 4], "pore_area_px": 28, "equivalent_diameter_px": 6.0,
        ...     "depth_px": 20.0, "x_px": [30.0, 32.0, 34.0, 36.0], "y_px": 40.0,
        ...     "touches_keyhole": False, "touches_edge": False,
        ... })
        >>> frames = pd.DataFrame({
        ...     "frame": range(5), "surface_slope": 0.0, "surface_y_px": 20.0,
        ...     "keyhole_width_px": 8.0, "keyhole_x_px": 36.0, "keyhole_tip_x_px": 34.0,
        ...     "keyhole_tip_y_px": 36.0,
        ... })
        >>> found = track_pores(pores, frames, (64, 64), Scale(None, 40_000.0))
        >>> found.tracks[["first_frame", "from_keyhole", "drift_x_px_per_frame", "end"]]
           first_frame  from_keyhole  drift_x_px_per_frame               end
        0            1          True                   2.0  end of recording
        >>> found.events[["frame", "time_s", "event", "track"]]
           frame    time_s        event  track
        0      1  0.000025  pore formed      0
    """
    unknown = np.setdiff1d(pores["frame"], frames["frame"])
    if len(unknown):
        raise ValueError(f"there are pores in frame {unknown[0]}, which is not among the frames")
    in_time = np.argsort(pores["frame"].to_numpy(np.int64), kind="stable")
    seen = _sightings(pores.iloc[in_time])
    keyholes = KeyholePlaces.of(frames, shape[1])
    recording = Recording(frames["frame"].to_numpy(np.int64), keyholes, shape)
    number = link(Discs(seen.x, seen.y, seen.diameter), seen.frame, recording.frame, keyholes)
    tracks = _split(seen, number)
    table = track_table(tracks, recording)
    track = np.empty(len(pores), np.int64)
    track[in_time] = number
    return PoreTracks(
        pores.assign(track=track),
        in_units(table, scale),
        in_units(event_table(tracks, table, recording), scale),
    )


def _sightings(pores: pd.DataFrame) -> Sightings:
    def numbers(name: str) -> np.ndarray:
        return np.asarray(pores[name].to_numpy(np.float64))

    return Sightings(
        frame=pores["frame"].to_numpy(np.int64),
        x=numbers("x_px"),
        y=numbers("y_px"),
        depth=numbers("depth_px"),
        area=numbers("pore_area_px"),
        diameter=numbers("equivalent_diameter_px"),
        touches_keyhole=pores["touches_keyhole"].to_numpy(bool),
        touches_edge=pores["touches_edge"].to_numpy(bool),
    )


def _split(seen: Sightings, number: np.ndarray) -> list[Sightings]:
    """Return the sightings of each track, in the order of time."""
    by_track = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number))
    return [seen[by_track[begin:end]] for begin, end in pairwise([0, *ends])]


def track_table(tracks: list[Sightings], recording: Recording) -> pd.DataFrame:
    """Make a row for each track, with the columns of `track_pores`."""
    at_keyhole = [is_from_keyhole(one, recording) for one in tracks]
    origin, place = origins(tracks, at_keyhole, recording)
    motions = [
        describe(one.frame, one.x, one.y, one.area) if of in (FORMED, EARLIER) else UNKNOWN
        for one, of in zip(tracks, origin, strict=True)
    ]
    return pd.DataFrame(
        {
            "track": np.arange(len(tracks)),
            "first_frame": _column(int, [one.frame[0] for one in tracks]),
            "last_frame": _column(int, [one.frame[-1] for one in tracks]),
            "frames": _column(int, [len(one.frame) for one in tracks]),
            "origin": _column(str, origin),
            "place": _column(int, list(place)),
            "from_keyhole": _column(
                bool, [of == FORMED and near for of, near in zip(origin, at_keyhole, strict=True)]
            ),
            "birth_x_px": _column(float, [one.x[0] for one in tracks]),
            "birth_y_px": _column(float, [one.y[0] for one in tracks]),
            "birth_depth_px": _column(float, [one.depth[0] for one in tracks]),
            "birth_area_px": _column(float, [one.area[0] for one in tracks]),
            "largest_area_px": _column(float, [one.area.max() for one in tracks]),
            "final_area_px": _column(float, [one.area[-1] for one in tracks]),
            "growth_px_per_frame": _column(float, [one.growth for one in motions]),
            "growth_error_px_per_frame": _column(float, [one.growth_error for one in motions]),
            "drift_x_px_per_frame": _column(float, [one.drift_x for one in motions]),
            "drift_x_error_px_per_frame": _column(float, [one.drift_x_error for one in motions]),
            "drift_y_px_per_frame": _column(float, [one.drift_y for one in motions]),
            "drift_y_error_px_per_frame": _column(float, [one.drift_y_error for one in motions]),
            "frozen_frame": _column(float, [motion.frozen_frame for motion in motions]),
            "end": _column(str, [end_of(one, recording) for one in tracks]),
        }
    )


def event_table(tracks: list[Sightings], table: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """Make a row for each pore that formed or ended, in the order of time.

    A blob at rest that is missed now and then neither forms nor ends.

    Args:
        table: The `track_table` of them.
    """
    formed = [
        (number, "pore formed", 0)
        for number, origin in enumerate(table["origin"])
        if origin == FORMED
    ]
    ended = [
        (number, "pore ended", -1)
        for number, end in enumerate(table["end"])
        if end != END_OF_RECORDING
        and (table["origin"][number] in (FORMED, EARLIER) or _ends(tracks[number], end, recording))
    ]
    events = formed + ended
    numbers = [number for number, _, _ in events]
    seen = [tracks[number][[which]] for number, _, which in events]
    unsorted = pd.DataFrame(
        {
            "frame": _column(int, [one.frame[0] for one in seen]),
            "event": _column(str, [what for _, what, _ in events]),
            "track": _column(int, numbers),
            "x_px": _column(float, [one.x[0] for one in seen]),
            "y_px": _column(float, [one.y[0] for one in seen]),
            "equivalent_diameter_px": _column(float, [one.diameter[0] for one in seen]),
            "from_keyhole": _column(bool, [table["from_keyhole"][number] for number in numbers]),
        }
    )
    # Stable: what is formed and ends in one frame does so in this order.
    return unsorted.sort_values("frame", kind="stable", ignore_index=True)


def _ends(track: Sightings, end: str, recording: Recording) -> bool:
    """Tell whether a blob at rest is truly gone, not only missed from then on."""
    return end == JOINED_THE_KEYHOLE or is_gone(track, recording)


def _column(kind: type, values: list[Any]) -> pd.Series:
    """Make a column whose type does not depend on its rows."""
    return pd.Series(values, dtype=kind)
