"""Grey levels and texture within a region."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def grey_level(frame: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the grey levels in a region.

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
    """Share of a region's pixels per grey level.

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
    """The frame less its Gaussian blur, which sees only the region (normalised convolution).

    White noise loses about 1 / (4 pi sigma²) of its variance.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`.
        sigma: Of the blur, in pixels.

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
        sigma: Of the blur that is taken away, in pixels: coarser shading does not count.
        black: Grey level without a beam.

    Example:
        >>> frame = 100.0 + 10.0 * (np.indices((40, 40)).sum(axis=0) % 2)
        >>> round(texture_contrast(frame, frame > 0, 3.0, black=5.0), 3)
        0.05
    """
    left = high_pass(frame, region, sigma)[region]
    return float(left.std() / (frame[region].mean() - black))


def texture_unevenness(frame: np.ndarray, region: np.ndarray, sigma: float) -> float:
    """How much the strength of the texture changes from place to place, over its mean.

    Spectra and histograms do not tell flakes on a smooth plate from grain all over it; this does.
    Even white noise has about 0.2 / sigma.

    Args:
        frame: Grey levels `(height, width)`.
        region: bool `(height, width)`.
        sigma: In pixels: of the blur that is taken away, and of the Gaussian window within which
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
