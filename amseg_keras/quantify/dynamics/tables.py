"""The tables of tracks and of events, in pixels and frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from amseg_keras.quantify.dynamics.fate import (
    END_OF_RECORDING,
    Recording,
    Sightings,
    end_of,
    is_from_keyhole,
)
from amseg_keras.quantify.dynamics.motion import describe


def track_table(tracks: list[Sightings], recording: Recording) -> pd.DataFrame:
    """A row for each track; its columns are described at `track_pores`."""
    motions = [describe(one.frame, one.x, one.y, one.area) for one in tracks]
    return pd.DataFrame(
        {
            "track": np.arange(len(tracks)),
            "first_frame": _column(int, [one.frame[0] for one in tracks]),
            "last_frame": _column(int, [one.frame[-1] for one in tracks]),
            "frames": _column(int, [len(one.frame) for one in tracks]),
            "from_keyhole": _column(bool, [is_from_keyhole(one, recording) for one in tracks]),
            "birth_x_px": _column(float, [one.x[0] for one in tracks]),
            "birth_y_px": _column(float, [one.y[0] for one in tracks]),
            "birth_depth_px": _column(float, [one.depth[0] for one in tracks]),
            "birth_area_px": _column(float, [one.area[0] for one in tracks]),
            "largest_area_px": _column(float, [one.area.max() for one in tracks]),
            "final_area_px": _column(float, [one.area[-1] for one in tracks]),
            "growth_px_per_frame": _column(float, [motion.growth for motion in motions]),
            "drift_x_px_per_frame": _column(float, [motion.drift_x for motion in motions]),
            "drift_y_px_per_frame": _column(float, [motion.drift_y for motion in motions]),
            "frozen_frame": _column(float, [motion.frozen_frame for motion in motions]),
            "end": _column(str, [end_of(one, recording) for one in tracks]),
        }
    )


def event_table(tracks: list[Sightings], table: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """A row for each pore that was formed or that ended, in the order of time.

    Args:
        tracks: All of them.
        table: The `track_table` of them.
        recording: Pores in its first readable frame were formed before.
    """
    formed = [
        (number, "pore formed", 0)
        for number, one in enumerate(tracks)
        if one.frame[0] > recording.frame[0]
    ]
    ended = [
        (number, "pore ended", -1)
        for number, end in enumerate(table["end"])
        if end != END_OF_RECORDING
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


def _column(kind: type, values: list) -> pd.Series:
    """A column whose type does not depend on whether there is anything in it."""
    return pd.Series(values, dtype=kind)
