"""Pores tracked through a recording: where they are born, how they move, how they end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

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
from amseg_keras.quantify.dynamics.motion import UNKNOWN, describe
from amseg_keras.quantify.scale import Scale, in_units


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
    """The sightings of each track, in the order of time."""
    by_track = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number))
    return [seen[by_track[begin:end]] for begin, end in pairwise([0, *ends])]


def track_table(tracks: list[Sightings], recording: Recording) -> pd.DataFrame:
    """A row for each track; its columns are described at `track_pores`."""
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
    """A row for each pore that was formed or that ended, in the order of time.

    A blob at rest that is missed now and then neither forms nor ends.

    Args:
        tracks: All of them.
        table: The `track_table` of them.
        recording: Readable frames.
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
    """Whether a blob at rest is truly gone, and not only missed from then on."""
    return end == JOINED_THE_KEYHOLE or is_gone(track, recording)


def _column(kind: type, values: list[Any]) -> pd.Series:
    """A column whose type does not depend on whether there is anything in it."""
    return pd.Series(values, dtype=kind)
