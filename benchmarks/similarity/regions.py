"""Regions of a frame, from its class ids: the same for real and simulated frames."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from similarity.recordings import BACKGROUND, IGNORE, KEYHOLE, PORE, SUBSTRATE

ERODED = 2
"""Pixels taken off the border of each region: labels are good to about one."""

_MAD_TO_SIGMA = 1.4826


def eroded(labels: np.ndarray, class_id: int, pixels: int = ERODED) -> np.ndarray:
    """The pixels of a class that lie some way inside it."""
    return within(labels == class_id, pixels)


def within(region: np.ndarray, pixels: float) -> np.ndarray:
    """The pixels of a region that lie more than some way inside its outline."""
    if region.all():
        return region
    return ndimage.distance_transform_edt(region) > pixels + 0.5


def solid(labels: np.ndarray, clear: int) -> np.ndarray:
    """Substrate far from voids and from its surface, where fringes would count as texture."""
    voids = np.isin(labels, (KEYHOLE, PORE, IGNORE))
    return eroded(labels, SUBSTRATE) & within(~voids, clear) & (surface_depth(labels) > clear)


def surface_depth(labels: np.ndarray) -> np.ndarray:
    """Distance below the first row of plate or void in each column, in pixels, `(height, width)`.

    Infinite in columns where the plate reaches the frame's top, or there is none.
    """
    below = np.isin(labels, (SUBSTRATE, KEYHOLE, PORE))
    first = below.argmax(axis=0)
    depth = np.arange(len(labels))[:, None] - (first - 0.5)
    no_surface = np.where(below[0], np.inf, -np.inf)
    return np.where(first > 0, depth, no_surface)


def gas(frame: np.ndarray, labels: np.ndarray, clear: int, spatter: bool = True) -> np.ndarray:
    """Background above the surface and, unless told otherwise, without what flies through it.

    Spatter is labelled background. It is found as what differs by 4 sigma from the median of the
    frame blurred by a pixel, grown by 4 px for its fringes.
    """
    region = within(labels == BACKGROUND, clear)
    if not spatter or not region.any():
        return region
    smooth = ndimage.gaussian_filter(frame.astype(float), 1.0)
    away = np.abs(smooth - np.median(smooth[region]))
    sigma = _MAD_TO_SIGMA * np.median(away[region])
    return region & ~ndimage.binary_dilation(region & (away > 4 * sigma), iterations=4)


def largest_rectangle(region: np.ndarray, heights: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of the largest rectangle within a region that is one of some heights.

    Example:
        >>> region = np.zeros((60, 90), bool)
        >>> region[10:50, 20:80] = True
        >>> largest_rectangle(region, (20, 40))
        (slice(10, 50, None), slice(20, 80, None))
    """
    best, area = None, 0
    filled = np.pad(region.cumsum(axis=0), ((1, 0), (0, 0)))
    columns = np.arange(1, region.shape[1] + 1)
    for height in heights:
        whole = filled[height:] - filled[:-height] == height
        # Length of the run of whole columns that ends at each place.
        gaps = np.maximum.accumulate(np.where(whole, 0, columns), axis=1)
        runs = columns - gaps
        top, right = np.unravel_index(int(runs.argmax()), runs.shape)
        run = int(runs[top, right])
        if run >= min(heights) and run * height > area:
            area = run * height
            best = (slice(int(top), int(top) + height), slice(int(right) + 1 - run, int(right) + 1))
    return best
