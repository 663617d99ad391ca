"""The shape of edges: rise and fringes across a boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Edge:
    """The shape of an edge between two plateaus, which fringes may pass.

    Attributes:
        outside: Grey level of the plateau at negative distances.
        inside: Grey level of the plateau at positive distances.
        outside_fringe: Grey level that lies farthest back behind the outside plateau.
        inside_fringe: Grey level that lies farthest beyond the inside plateau.
        rise: Distance in pixels from 10 to 90 % of the way between those two.
    """

    outside: float
    inside: float
    outside_fringe: float
    inside_fringe: float
    rise: float

    @property
    def undershoot(self) -> float:
        """How far the outside fringe goes, as a fraction of the step between the plateaus."""
        return (self.outside - self.outside_fringe) / (self.inside - self.outside)

    @property
    def overshoot(self) -> float:
        """How far the inside fringe goes, as a fraction of the step between the plateaus."""
        return (self.inside_fringe - self.inside) / (self.inside - self.outside)


def boundary_distance(inside: np.ndarray) -> np.ndarray:
    """Signed distance of each pixel's centre from the outline of a region, in pixels.

    Args:
        inside: bool `(height, width)`.

    Returns:
        float64 `(height, width)`, positive inside; infinite where there is no outline.

    Example:
        >>> boundary_distance(np.array([[False, False, True, True]]))
        array([[-1.5, -0.5,  0.5,  1.5]])
    """
    if inside.all() or not inside.any():
        return np.where(inside, np.inf, -np.inf)
    within = ndimage.distance_transform_edt(inside)
    beyond = ndimage.distance_transform_edt(~inside)
    return np.asarray(np.where(inside, within - 0.5, 0.5 - beyond))


def surface_distance(surface: np.ndarray, height: int) -> np.ndarray:
    """Signed distance of each pixel's centre from a surface, in pixels, across the surface.

    Args:
        surface: Row of the surface in each column `(width,)`, whole rows are pixel centres.
        height: Height of the frame in pixels.

    Returns:
        float64 `(height, width)`, positive below the surface.

    Example:
        >>> surface_distance(np.array([1.0, 1.0]), 3)[:, 0]
        array([-1.,  0.,  1.])
    """
    slope = np.gradient(surface.astype(float))
    return np.asarray((np.arange(height)[:, None] - surface) / np.hypot(1.0, slope))


def edge_profile(
    frame: np.ndarray, distance: np.ndarray, region: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """Measure the mean grey level at each distance from a boundary.

    Args:
        frame: Grey levels `(height, width)`.
        distance: Signed, in pixels, `(height, width)`.
        region: bool `(height, width)`, the pixels that count.
        centres: Rising distances, evenly spaced, `(bins,)`.

    Returns:
        Mean of the pixels nearest to each centre `(bins,)`; NaN where there are none.

    Example:
        >>> frame = np.array([[10, 10, 20, 20]])
        >>> distance = boundary_distance(frame > 15)
        >>> edge_profile(frame, distance, frame > 0, np.array([-0.5, 0.5, 1.5, 2.5]))
        array([10., 20., 20., nan])
    """
    spacing = float(centres[1] - centres[0])
    place = np.rint((distance - centres[0]) / spacing)
    counts = region & (place >= 0) & (place < len(centres))
    at = place[counts].astype(int)
    total = np.bincount(at, frame[counts].astype(float), len(centres))
    pixels = np.bincount(at, minlength=len(centres))
    return np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan)


def measure_edge(
    centres: np.ndarray,
    profile: np.ndarray,
    outside: tuple[float, float],
    inside: tuple[float, float],
) -> Edge:
    """Plateaus, fringes and rise of an edge profile.

    Args:
        centres: Distances `(bins,)`, in pixels.
        profile: Grey level at each `(bins,)`, rising or falling; NaN where it is not known.
        outside: Distances between which the outside plateau is read.
        inside: Distances between which the inside plateau is read; the edge and its fringes are
            looked for between the two.

    Returns:
        All NaN where the profile does not hold both plateaus.

    Example:
        >>> centres = np.arange(-9.5, 10)
        >>> edge = measure_edge(centres, np.clip(centres, -2, 2), (-9, -5), (5, 9))
        >>> edge.outside, edge.inside, edge.overshoot, round(edge.rise, 1)
        (-2.0, 2.0, 0.0, 3.4)
    """
    known = np.isfinite(profile)
    x, grey = centres[known], profile[known]
    low = grey[(x >= outside[0]) & (x <= outside[1])]
    high = grey[(x >= inside[0]) & (x <= inside[1])]
    if not len(low) or not len(high):
        return Edge(*[float("nan")] * 5)
    step = float(high.mean() - low.mean())
    between = (x >= outside[1]) & (x <= inside[0])
    x, height = x[between], (grey[between] - low.mean()) / step
    # The rise is where it is steepest; a fringe lies on either side of that.
    steepest = int(np.diff(height).argmax())
    first = int(height[: steepest + 1].argmin())
    last = steepest + 1 + int(height[steepest + 1 :].argmax())
    return Edge(
        outside=float(low.mean()),
        inside=float(high.mean()),
        outside_fringe=float(low.mean() + step * height[first]),
        inside_fringe=float(low.mean() + step * height[last]),
        rise=_rise(x, (height - height[first]) / (height[last] - height[first]), steepest),
    )


def _rise(x: np.ndarray, share: np.ndarray, steepest: int) -> float:
    """Distance between the crossings of 0.1 and 0.9 on either side of the steepest step."""
    low = int(np.flatnonzero(share[: steepest + 1] <= 0.1)[-1])
    high = steepest + 1 + int(np.flatnonzero(share[steepest + 1 :] >= 0.9)[0])
    starts = np.interp(0.1, share[low : low + 2], x[low : low + 2])
    ends = np.interp(0.9, share[high - 1 : high + 1], x[high - 1 : high + 1])
    return float(ends - starts)
