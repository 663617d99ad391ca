"""Noise: how neighbours go together, and what differs from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.simulate.statistics.grey import high_pass


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
        sigma: Of the blur that is taken away before, in pixels.

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
        sigma: Of the blur that is taken away from each frame before, in pixels.

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
