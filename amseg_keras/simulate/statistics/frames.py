"""Grey levels, noise and spectrum within a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.signal.windows import hann


def grey_level(frame: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    """Measure mean and standard deviation of the grey levels in a region.

    Args:
        frame: Grey levels `(height, width)`, or a stack `(frames, height, width)`.
        region: bool, of the frame's shape.

    Example:
        >>> frame = np.array([[1, 3, 90]])
        >>> grey_level(frame, frame < 50)
        (2.0, 1.0)
    """
    values = frame[region].astype(float)
    return float(values.mean()), float(values.std())


def grey_histogram(frame: np.ndarray, region: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Measure the share of a region's pixels per grey level.

    Args:
        frame: Grey levels `(height, width)`, or a stack `(frames, height, width)`.
        region: bool, of the frame's shape.
        edges: Rising grey levels `(bins + 1,)`; what lies outside them is in no bin.

    Returns:
        Share divided by the bin's width, in 1 / grey level, `(bins,)`.

    Example:
        >>> frame = np.array([[1, 3, 3, 90]])
        >>> grey_histogram(frame, frame < 100, np.array([0, 2, 4, 100])) * (2, 2, 96)
        array([0.25, 0.5 , 0.25])
    """
    counts, _ = np.histogram(frame[region], edges)
    return np.asarray(counts / (max(int(region.sum()), 1) * np.diff(edges)))


def high_pass(frame: np.ndarray, region: np.ndarray, sigma: float) -> np.ndarray:
    """Subtract the Gaussian blur of a frame, which sees only the region (normalised convolution).

    White noise loses about 1 / (4 pi sigma²) of its variance.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`.
        sigma: Width of the blur in pixels.

    Returns:
        float64 `(height, width)`, 0 outside the region.

    Example:
        >>> frame = np.full((5, 5), 7.0)
        >>> frame[:, 3:] = 1000.0
        >>> float(np.abs(high_pass(frame, frame < 8, 2.0)).max().round(9))
        0.0
    """
    weight = region.astype(float)
    blurred = ndimage.gaussian_filter(frame * weight, sigma, mode="constant")
    seen = ndimage.gaussian_filter(weight, sigma, mode="constant")
    return np.where(region, frame - blurred / np.where(region, seen, 1.0), 0.0)


def texture_contrast(
    frame: np.ndarray, region: np.ndarray, sigma: float, black: float = 0.0
) -> float:
    """Standard deviation of the high-passed region over its mean grey above black.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`.
        sigma: Width of the blur that is subtracted, in pixels; coarser shading does not count.
        black: Grey level without a beam.

    Example:
        >>> frame = 100.0 + 10.0 * (np.indices((40, 40)).sum(axis=0) % 2)
        >>> round(texture_contrast(frame, frame > 0, 3.0, black=5.0), 3)
        0.05
    """
    left = high_pass(frame, region, sigma)[region]
    return float(left.std() / (frame[region].mean() - black))


def texture_unevenness(frame: np.ndarray, region: np.ndarray, sigma: float) -> float:
    """Measure how much the strength of the texture changes from place to place, over its mean.

    Spectra and histograms do not tell flakes on a smooth plate from grain all over it; this does.
    Even white noise has about 0.2 / sigma.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`.
        sigma: Width in pixels of the blur that is subtracted, and of the Gaussian window in which
            the standard deviation of the rest is taken.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> even = rng.normal(100, 5, (100, 200))
        >>> half = even + rng.normal(0, 15, (100, 200)) * (np.arange(200) < 100)
        >>> [round(texture_unevenness(frame, even > 0, 5.0), 1) for frame in (even, half)]
        [0.0, 0.5]
    """
    squares = high_pass(frame, region, sigma) ** 2
    weight = ndimage.gaussian_filter(region.astype(float), sigma, mode="constant")
    local = np.sqrt(ndimage.gaussian_filter(squares, sigma, mode="constant")[region])
    local /= np.sqrt(weight[region])
    return float(local.std() / local.mean())


@dataclass(frozen=True)
class StackVariance:
    """What stands still in a stack of frames, and what differs from frame to frame.

    Attributes:
        static: Standard deviation of the texture that all frames share, in grey levels.
        noise: Standard deviation of the rest, in grey levels.
        along_row: Correlation of the noise of neighbours within a row.
        along_column: Correlation of the noise of neighbours within a column.
    """

    static: float
    noise: float
    along_row: float
    along_column: float


def neighbour_correlation(
    frame: np.ndarray, region: np.ndarray, lags: int, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of neighbouring pixels of the high-passed region.

    A point spread of Gaussian sigma s leaves exp(-lag² / 4 s²) in white noise.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`; pairs that leave it do not count.
        lags: The largest distance in pixels.
        sigma: Width of the blur that is subtracted first, in pixels.

    Returns:
        Along the rows and along the columns, `(lags,)` each, for distances 1, 2, ...

    Example:
        >>> stripes = np.tile([1.0, 1.0, -1.0, -1.0], (40, 20))
        >>> rows, columns = neighbour_correlation(stripes, stripes < 2, 2, 8.0)
        >>> rows.round(1) + 0.0, columns.round(1)
        (array([ 0., -1.]), array([1., 1.]))
    """
    left = high_pass(frame, region, sigma)
    return _correlation(left, region, lags), _correlation(left.T, region.T, lags)


def split_variance(stack: np.ndarray, region: np.ndarray, sigma: float) -> StackVariance:
    """Split the variance of a stack into static texture and noise.

    The mean of n frames still holds 1 / n of the noise's variance, which is taken off the texture.

    Args:
        stack: Grey levels `(frames, height, width)`, two or more frames of one scene at rest.
        region: bool `(height, width)`, where nothing moves in any frame.
        sigma: Width of the blur that is first subtracted from each frame, in pixels.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> texture = rng.normal(100, 4, (64, 64))
        >>> stack = texture + rng.normal(0, 3, (9, 64, 64))
        >>> split = split_variance(stack, texture > 0, 20.0)
        >>> round(split.static), round(split.noise), abs(round(split.along_row, 1))
        (4, 3, 0.0)
    """
    fine = np.stack([high_pass(frame, region, sigma) for frame in stack])
    mean = fine.mean(axis=0)
    noise = float(fine.var(axis=0, ddof=1)[region].mean())
    static = float(mean[region].var()) - noise / len(stack)
    rest = fine - mean
    everywhere = np.broadcast_to(region, rest.shape)
    return StackVariance(
        static=float(np.sqrt(max(static, 0.0))),
        noise=float(np.sqrt(noise)),
        along_row=float(_correlation(rest, everywhere, 1)[0]),
        along_column=float(
            _correlation(rest.swapaxes(1, 2), everywhere.swapaxes(1, 2), 1)[0],
        ),
    )


def _correlation(values: np.ndarray, region: np.ndarray, lags: int) -> np.ndarray:
    """Pearson's, of pixels of the last axis some places apart; one for each distance from 1."""
    found = []
    for lag in range(1, lags + 1):
        both = region[..., lag:] & region[..., :-lag]
        found.append(np.corrcoef(values[..., lag:][both], values[..., :-lag][both])[0, 1])
    return np.array(found)


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
