"""Which way the laser goes, from the motion of the keyhole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_LEAST_FRAMES = 3

_MOST_FRAMES = 300
"""Frames that are looked at, spread over the recording: it takes time with their square."""

_LEAST_MOTION_PX = 3.0
"""A keyhole that oscillates moves by a pixel or two all the same."""


def scan_direction(frames: pd.DataFrame) -> int | None:
    """Find the scan direction: the median of the velocities between all pairs of frames.

    Args:
        frames: The table of frames: `frame` and `keyhole_x_px`, NaN where there is no keyhole.

    Returns:
        +1 for a keyhole that moves to the right, -1 to the left; None where it is in fewer than 3
        frames, or moves by less than 3 px in all, as it does where the camera follows the laser.

    Example:
        >>> import pandas as pd
        >>> scan_direction(pd.DataFrame({"frame": range(5), "keyhole_x_px": [90, 87, 84, 81, 78]}))
        -1
    """
    seen = frames[frames["keyhole_x_px"].notna()]
    if len(seen) < _LEAST_FRAMES:
        return None
    some = np.linspace(0, len(seen) - 1, min(len(seen), _MOST_FRAMES)).round().astype(int)
    frame, x = (seen[name].to_numpy(float)[some] for name in ("frame", "keyhole_x_px"))
    # As scipy.stats.theilslopes, which takes a second to import.
    after = frame[:, None] > frame
    velocity = float(np.median((x[:, None] - x)[after] / (frame[:, None] - frame)[after]))
    if abs(velocity) * (frame[-1] - frame[0]) < _LEAST_MOTION_PX:
        return None
    return 1 if velocity > 0 else -1
