"""How one pore grows, drifts and freezes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

REST_FRAMES = 8
"""Frames in which a pore must be seen at rest before it counts as frozen."""

STILL_PX = 1.0
"""How far the centre of a frozen pore may seem to be from its place."""

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
    """How a pore grows and moves.

    Attributes:
        growth: Pixels of area per frame; NaN where too few frames tell it.
        drift_x: Columns per frame, NaN as well.
        drift_y: Rows per frame, NaN as well.
        frozen_frame: From which it no longer moves; NaN when never.
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
        frame: In which it was seen, int `(sightings,)`, rising.
        x: Columns of its centroid in pixels, float of the same shape.
        y: Its rows.
        area: In pixels.

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
    """Index of the first sighting at rest."""
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
    """Standard deviation of white noise on a smooth path, not misled by some jumps."""
    return float(np.median(np.abs(np.diff(values, 2))) / 0.6745 / np.sqrt(6))


def _slope(frame: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Least-squares slope and its standard error; 0 of a single value, NaN of two or three."""
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
    """Least-squares slope from each value to the last one; 0 at the last."""
    # Sums from the end, about the last point: large numbers would eat the digits.
    since, moved = (frame - frame[-1])[::-1], (values - values[-1])[::-1]
    count = np.arange(1, len(frame) + 1)
    sums = np.cumsum(since), np.cumsum(moved)
    products = count * np.cumsum(since * moved) - sums[0] * sums[1]
    squares = count * np.cumsum(since**2) - sums[0] ** 2
    return np.asarray(
        np.divide(products, squares, out=np.zeros(len(frame)), where=squares > 0)[::-1]
    )
