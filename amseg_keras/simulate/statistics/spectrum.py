"""Power spectrum of a rectangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal.windows import hann


@dataclass(frozen=True)
class Spectrum:
    """How a region's variance is spread over spatial frequencies.

    Attributes:
        frequency: Middle of each ring in cycles per pixel, `(rings,)`; beyond 0.5 lie the corners.
        power: Variance within each ring, in squared grey levels; the sum is the region's variance.
        density: Power per square cycle per pixel, the radial average; white noise is flat.
    """

    frequency: np.ndarray
    power: np.ndarray
    density: np.ndarray

    def band_std(self, shortest: float, longest: float) -> float:
        """Standard deviation of what repeats every `shortest` to `longest` pixels."""
        inside = (self.frequency > 1 / longest) & (self.frequency <= 1 / shortest)
        return float(np.sqrt(self.power[inside].sum()))


def power_spectrum(patch: np.ndarray) -> Spectrum:
    """Radially averaged power spectrum of a rectangle of a frame.

    A plane is taken away, so that shading does not count, and a Hann window laid over the rest, so
    that the borders do not either; the variance is therefore that of the middle.

    Args:
        patch: Grey levels `(height, width)`, 8 px or more each.

    Example:
        >>> wave = np.sin(2 * np.pi * np.arange(64) / 8)[:, None] * np.ones(64)
        >>> spectrum = power_spectrum(wave)
        >>> float(spectrum.frequency[spectrum.power.argmax()]), float(spectrum.power.sum().round(2))
        (0.125, 0.5)
    """
    height, width = patch.shape
    window = np.outer(hann(height, sym=False), hann(width, sym=False))
    fourier = np.fft.fft2(window * _detrended(patch))
    power = np.abs(fourier) ** 2 / (patch.size * (window**2).sum())
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    rings = min(height, width)
    ring = np.rint(radius * rings).astype(int).ravel()
    total = np.bincount(ring, power.ravel())
    density = total / np.maximum(np.bincount(ring), 1) * patch.size
    return Spectrum(np.arange(len(total)) / rings, total, density)


def _detrended(patch: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(patch.shape)
    plane = np.stack([np.ones(patch.size), rows.ravel(), columns.ravel()], axis=1)
    values = patch.ravel().astype(float)
    fitted, *_ = np.linalg.lstsq(plane, values, rcond=None)
    return np.asarray((values - plane @ fitted).reshape(patch.shape))
