"""Compute how much a keyhole fluctuates (the paper's equations 3 and 4), and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Fluctuation:
    """Deviations of a keyhole's area or depth from its mean, as fractions of that mean.

    Attributes:
        delta_i: Fluctuation of every frame, float64; NaN without a keyhole.
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
    """Compute the fluctuation of the keyhole's area or depth (equations 3 and 4).

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


FEWEST_FRAMES = 32
"""Frames with a keyhole below which there is no spectrum."""

_LONGEST_SEGMENT = 256
"""Frames of a segment at most: longer recordings are averaged more, not resolved finer."""

_FEWEST_CYCLES = 3
"""Cycles in a segment below which an oscillation cannot be told from a slow change."""

_CHANCE = 0.01
"""Probability that white noise looks like a peak."""

_BESIDE = 2
"""Frequencies from a peak at which the window's leakage has ended."""

_ROUNDING = 1e-9
"""Swing, as a fraction of the mean, below which there is nothing but rounding errors."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power of an oscillation over frequency.

    Attributes:
        frequency_hz: float64 `(frequencies,)`; empty where the recording is too short.
        power: Power spectral density, in the values' unit squared per Hz, of the same shape.
        peak_hz: Frequency of the most prominent oscillation in Hz; None without one.

    Example:
        >>> frames = np.arange(400)
        >>> depth_px = 60 + 8 * np.sin(2 * np.pi * frames / 8)
        >>> found = oscillation_spectrum(depth_px, frame_rate_hz=40_000.0)
        >>> found.power.shape == found.frequency_hz.shape, round(found.peak_hz)
        (True, 5000)
        >>> oscillation_spectrum(depth_px[:20], 40_000.0).peak_hz is None  # too short
        True
    """

    frequency_hz: np.ndarray
    power: np.ndarray
    peak_hz: float | None


_NO_SPECTRUM = Spectrum(np.empty(0), np.empty(0), None)


def oscillation_spectrum(
    values: pd.Series | np.ndarray | Sequence[float], frame_rate_hz: float
) -> Spectrum:
    """Find the frequency with which the keyhole's depth or area oscillates.

    The recording begins where the keyhole has built up, in the first frame in which it is at its
    median, and ends with the last keyhole. It is cut into segments of half its length (32 to 256
    frames) that overlap by half; from each a line is taken, what is left is weighted with a Hann
    window, and the periodograms are averaged: Welch's method. Where frames are missing, the
    periodogram is that of Lomb and Scargle, which for complete segments is the usual one;
    segments with more missing than present count nowhere. Frequencies are as far apart as there
    are segments in a second, from one cycle in a segment up to half the frame rate.

    A **peak** stands out where the power is high above that of the frequencies below it and above
    that of those beyond it, so that noise which is stronger the slower it is has none. That
    background is the larger of both medians; frequencies with less than three cycles in a
    segment, and the three highest, cannot be peaks. The highest peak counts if white noise would
    reach its ratio to the background anywhere in the spectrum with a chance of about 1 %, by the
    chi-square distribution with two degrees of freedom for each segment.

    Args:
        values: Depth or area in every frame, evenly in time and in any unit; NaN where a frame is
            missing, NaN or 0 where there is no keyhole.
        frame_rate_hz: Frames per second.

    Returns:
        The spectrum; an empty one without a peak where there are fewer than 32 frames with a
        keyhole after it has built up.

    Example:
        >>> time_s = np.arange(400) / 40_000
        >>> depth = 150 + 20 * np.sin(2 * np.pi * 5_000 * time_s) + 0.02 * np.arange(400)
        >>> found = oscillation_spectrum(depth, 40_000.0)
        >>> round(found.peak_hz), round(found.frequency_hz[0])
        (5025, 201)
    """
    measured = _from_build_up_on(np.asarray(values, np.float64))
    if np.isfinite(measured).sum() < FEWEST_FRAMES:
        return _NO_SPECTRUM
    length = int(np.clip(len(measured) // 2, FEWEST_FRAMES, _LONGEST_SEGMENT))
    cycles = np.arange(1, (length + 1) // 2)
    starts = range(0, len(measured) - length + 1, length // 2)
    segments = [measured[start : start + length] for start in starts]
    powers = [
        _periodogram(segment, cycles)
        for segment in segments
        if np.isfinite(segment).sum() >= length / 2
    ]
    if not powers:
        return _NO_SPECTRUM
    frequency = cycles * (frame_rate_hz / length)
    power = np.mean(powers, axis=0) / frame_rate_hz
    swing = np.sqrt(power.sum() * frequency[0])
    moves = swing > _ROUNDING * np.nanmean(measured)
    peak = _peak(power, len(powers)) if moves else None
    return Spectrum(frequency, power, None if peak is None else float(frequency[peak]))


def _from_build_up_on(values: np.ndarray) -> np.ndarray:
    """Return the part of a recording after the keyhole has formed; NaN without a keyhole."""
    there = np.isfinite(values) & (values > 0)
    if not there.any():
        return np.empty(0)
    keyhole = np.where(there, values, np.nan)
    begin = np.flatnonzero(there & (values >= np.median(values[there])))[0]
    end = np.flatnonzero(there)[-1] + 1
    return keyhole[begin:end]


def _periodogram(segment: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Compute the one-sided power per cycle a frame, at frequencies in cycles per segment."""
    time = np.flatnonzero(np.isfinite(segment)).astype(np.float64)
    values = segment[np.isfinite(segment)]
    values = values - np.polyval(np.polyfit(time, values, 1), time)
    window = np.sin(np.pi * time / len(segment)) ** 2
    power = _lomb_scargle(time, values * window, 2 * np.pi * cycles / len(segment))
    return np.asarray(2 * power * len(time) / (window @ window))


def _lomb_scargle(time: np.ndarray, values: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Compute `scipy.signal.lombscargle`, which takes a second to import."""
    phase = np.outer(frequencies, time)
    shift = np.arctan2(np.sin(2 * phase).sum(axis=1), np.cos(2 * phase).sum(axis=1)) / 2
    phase -= shift[:, None]
    cosine, sine = np.cos(phase), np.sin(phase)
    return (
        np.asarray(
            (cosine @ values) ** 2 / (cosine**2).sum(axis=1)
            + (sine @ values) ** 2 / (sine**2).sum(axis=1)
        )
        / 2
    )


def _peak(power: np.ndarray, segments: int) -> int | None:
    """Return the index of the most prominent frequency."""
    from scipy.special import gammainccinv, gammaincinv

    candidates = np.arange(_FEWEST_CYCLES - 1, len(power) - _BESIDE - 1)
    background = [
        max(np.median(power[: place - _BESIDE + 1]), np.median(power[place + _BESIDE :]))
        for place in candidates
    ]
    ratio = power[candidates] / background
    # White noise: ratio of the mean of the periodograms to its median, at all frequencies.
    needed = gammainccinv(segments, _CHANCE / len(power)) / gammaincinv(segments, 0.5)
    highest = int(np.argmax(ratio))
    return int(candidates[highest]) if ratio[highest] > needed else None
