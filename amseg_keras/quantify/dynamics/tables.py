"""The tables of tracks and of events, in pixels and frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.quantify.dynamics.fate import (
    END_OF_RECORDING,
    JOINED_THE_KEYHOLE,
    Recording,
    Sightings,
    end_of,
    is_from_keyhole,
)
from amseg_keras.quantify.dynamics.motion import UNKNOWN, describe
from amseg_keras.quantify.dynamics.origin import EARLIER, FORMED, is_gone, origins


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
