"""How much a keyhole's area or depth fluctuates (the paper's equations 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Fluctuation:
    """Deviations of a keyhole's area or depth from its mean, as fractions of that mean.

    Attributes:
        delta_i: Of every frame, float64, as long as the values; NaN where there is no keyhole.
        delta_avg: Their mean.
        delta_max: The largest.

    Example:
        >>> depth_px = [40.0, 50.0, 60.0]
        >>> found = fluctuation(depth_px)
        >>> int(found.delta_i.argmin()), round(found.delta_avg, 4), round(found.delta_max, 4)
        (1, 0.1333, 0.2)
    """

    delta_i: np.ndarray
    delta_avg: float
    delta_max: float


def fluctuation(values: pd.Series | np.ndarray | Sequence[float]) -> Fluctuation:
    """Fluctuation of the keyhole's area or depth over a recording (equations 3 and 4).

    With the mean over the frames in which there is a keyhole,

        delta_i = |x_i - mean(x)| / mean(x)

    `delta_avg` is the mean of the delta_i, `delta_max` their maximum.

    Args:
        values: Area or depth in each frame, in any unit. Frames without a keyhole are those with
            0 or NaN: they count nowhere.

    Returns:
        The deviations; all NaN where fewer than two frames have a keyhole.

    Example:
        >>> found = fluctuation([80.0, 0.0, 100.0, 120.0])
        >>> found.delta_i
        array([0.2, nan, 0. , 0.2])
        >>> round(found.delta_avg, 4), round(found.delta_max, 4)
        (0.1333, 0.2)
    """
    measured = np.asarray(values, np.float64)
    there = np.isfinite(measured) & (measured > 0)
    delta = np.full(measured.shape, np.nan)
    if there.sum() < 2:
        return Fluctuation(delta, np.nan, np.nan)
    mean = measured[there].mean()
    delta[there] = np.abs(measured[there] - mean) / mean
    return Fluctuation(delta, float(delta[there].mean()), float(delta[there].max()))
