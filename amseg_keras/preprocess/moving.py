"""The motion channel: what changed in a frame against its background, in units of its noise."""

from __future__ import annotations

import numpy as np

SIGMAS = 10.0
"""A change of this many robust standard deviations reaches the end of the channel."""

QUIETEST = 0.002
"""Smallest standard deviation of a log ratio: the rounding of 8-bit frames of middle grey."""

DARKEST = 0.01
"""Grey levels below this fraction of the background's mean count as this fraction."""

NO_LIGHT = 1e-20
"""Backgrounds that are darker have no grey levels to compare with."""


def motion(frame: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Compute what moves: the log ratio of a frame to its background, over ten standard deviations.

    The frame's own median is subtracted first, so that a flicker of the beam is no motion. The
    standard deviation is 1.4826 times the median absolute deviation. Both are taken on every second
    row and column of the whole frame, without pixels that equal their background exactly: saturated
    gas and a constant border have no noise. Grey levels below 1 % of the background's mean count as
    1 %, so that zeros and negative corrected counts are no infinite change.

    Args:
        frame: Grey levels, `(height, width)`, any real dtype.
        background: Grey levels without what moves, same shape; `None` if there are none.

    Returns:
        float32 of the same shape, from -1 (darker) to 1 (brighter); 0 everywhere without a
        background.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> plate = np.random.default_rng(0).normal(1000, 10, (64, 64))
        >>> frame = plate + np.random.default_rng(1).normal(0, 10, plate.shape)
        >>> frame[20:24, 30:34] += 300  # a new pore
        >>> moved = motion(frame, plate)
        >>> float(moved[22, 32]), bool(np.abs(moved[40:]).max() < 0.5)
        (1.0, True)
        >>> float(np.abs(motion(frame, None)).max())
        0.0
    """
    if background is None:
        return np.zeros(frame.shape, np.float32)
    if np.shape(frame) != np.shape(background):
        raise ValueError(
            f"a frame of {np.shape(frame)} and a background of {np.shape(background)} pixels differ"
        )
    behind = np.asarray(background, np.float32)
    darkest = np.float32(DARKEST) * np.maximum(behind, 0).mean(dtype=np.float64).astype(np.float32)
    if not darkest > NO_LIGHT:
        return np.zeros(frame.shape, np.float32)
    ratio = np.maximum(np.asarray(frame, np.float32), darkest)
    ratio /= np.maximum(behind, darkest)
    change = np.log(ratio, out=ratio)
    some = change[::2, ::2]
    some = some[some != 0]
    if not some.size:
        return np.zeros(frame.shape, np.float32)
    middle = _median(some)
    sigma = 1.4826 * float(_median(np.abs(some - middle)))
    change -= middle
    change *= np.float32(1 / (SIGMAS * max(sigma, QUIETEST)))
    return np.clip(change, -1, 1, out=change)


def _median(values: np.ndarray) -> np.float32:
    """As `np.median` of finite values, in half the time where many are equal."""
    half = len(values) // 2
    parted = np.partition(values, half)
    if len(values) % 2:
        return np.float32(parted[half])
    return np.float32((parted[:half].max() + parted[half]) / 2)
