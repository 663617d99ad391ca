"""Size, shape and place of every pore in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from amseg_keras.quantify.classes import SMALLEST_PX, mask_of
from amseg_keras.quantify.geometry.surface import Surface


class Pore(NamedTuple):
    """A pore in a frame, in pixels; see `measure_pores`.

    Attributes:
        pore_area_px: Number of its pixels.
        equivalent_diameter_px: Diameter of the disc of the same area, sqrt(4 A / pi) (equation 5).
        depth_px: Depth of the centroid, perpendicular to the surface; NaN without a surface.
        x_px: Column of the centroid.
        y_px: Row of the centroid.
        eccentricity: Eccentricity of the ellipse with the same second moments: 0 for a circle.
        major_axis_px: Length of that ellipse's major axis.
        touches_keyhole: Whether one of its pixels has a keyhole pixel among its 8 neighbours.
        touches_edge: Whether the pore reaches the edge of the frame, so that part may be outside.
        lowest_x_px: Column of its lowest pixel: the deepest below the surface, or the one nearest
            to the frame's lower edge without a surface.
        lowest_y_px: Row of that pixel's lower edge.

    Example:
        A table of the pores of a frame, as pandas makes it of them:

        >>> import pandas as pd
        >>> labels = np.zeros((30, 40), np.uint8)
        >>> labels[10:14, 5:9] = labels[20:22, 30:38] = 1
        >>> pores = measure_pores(labels, ["substrate", "pore"], Surface(0.0, -0.5))
        >>> pd.DataFrame(pores)[["pore_area_px", "equivalent_diameter_px", "depth_px"]].round(2)
           pore_area_px  equivalent_diameter_px  depth_px
        0            16                    4.51      12.0
        1            16                    4.51      21.0
    """

    pore_area_px: int
    equivalent_diameter_px: float
    depth_px: float
    x_px: float
    y_px: float
    eccentricity: float
    major_axis_px: float
    touches_keyhole: bool
    touches_edge: bool
    lowest_x_px: float
    lowest_y_px: float


def measure_pores(
    labels: np.ndarray,
    class_names: Sequence[str],
    surface: Surface | None,
    smallest_px: float = SMALLEST_PX,
) -> list[Pore]:
    """Measure the pores of one frame: the 8-connected pieces of that class.

    Area, centroid, eccentricity and major axis equal `skimage.measure.regionprops`,
    calculated for all pores at once: a slice of a casting has hundreds of them.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        surface: Surface from `substrate_surface`, or None.
        smallest_px: Area in pixels below which a piece is a speckle and no pore.

    Returns:
        The pores, in the order of their first pixels, from the top row down.

    Example:
        >>> labels = np.zeros((8, 10), np.uint8)
        >>> labels[3:5, 2:7] = 1
        >>> labels[6, 8] = 1
        >>> (pore,) = measure_pores(labels, ["substrate", "pore"], Surface(0.0, -0.5))
        >>> pore.pore_area_px, pore.x_px, pore.y_px, pore.depth_px, pore.touches_edge
        (10, 4.0, 3.5, 4.0, False)
    """
    y, x, piece = _pieces(mask_of(labels, class_names, "pore"), smallest_px)
    area = np.bincount(piece)
    middle_x, middle_y = (np.bincount(piece, values) / area for values in (x, y))
    major_axis, eccentricity = _ellipses(x - middle_x[piece], y - middle_y[piece], piece, area)
    # Rounded, so that the last of equally deep pixels is chosen.
    depths = (y + 0.5 if surface is None else surface.depth(x, y + 0.5)).round(6)
    lowest = np.lexsort((depths, piece))[np.cumsum(area) - 1]
    beside_keyhole = _beside(mask_of(labels, class_names, "keyhole"), y, x)
    height, width = labels.shape
    at_edge = (x == 0) | (y == 0) | (x == width - 1) | (y == height - 1)
    columns = (
        area,
        np.sqrt(4 * area / np.pi),
        np.full(len(area), np.nan) if surface is None else surface.depth(middle_x, middle_y),
        middle_x,
        middle_y,
        eccentricity,
        major_axis,
        np.bincount(piece[beside_keyhole], minlength=len(area)) > 0,
        np.bincount(piece[at_edge], minlength=len(area)) > 0,
        x[lowest],
        y[lowest] + 0.5,
    )
    return [Pore(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _pieces(mask: np.ndarray, smallest_px: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, columns and piece numbers of the pixels of large enough pieces."""
    y, x = np.nonzero(mask)
    if not len(x):
        return y, x, y
    # Most of a frame holds no pore: only the part that does is numbered.
    top, left = y[0], x.min()
    pieces, _ = ndimage.label(mask[top : y[-1] + 1, left : x.max() + 1], np.ones((3, 3)))
    piece = pieces[y - top, x - left].astype(np.intp) - 1
    large = np.bincount(piece) >= smallest_px
    y, x, piece = (values[large[piece]] for values in (y, x, piece))
    # Number them again, without gaps.
    return y, x, (np.cumsum(large) - 1)[piece]


def _ellipses(
    dx: np.ndarray, dy: np.ndarray, piece: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute major axis and eccentricity of each piece, from the second moments of its pixels."""
    xx, yy, xy = (np.bincount(piece, moment) / area for moment in (dx * dx, dy * dy, dx * dy))
    # The larger eigenvalue of the matrix of second moments is their sum, the smaller one their
    # difference.
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    largest = mean + half
    # Of a single pixel, which is as round as can be, both are 0.
    flat = np.divide(2 * half, largest, out=np.zeros_like(largest), where=largest > 0)
    return 4 * np.sqrt(largest), np.sqrt(flat)


def _beside(mask: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Tell whether any of the 8 neighbours of the pixels (y, x) is in the mask."""
    found = np.zeros(len(y), bool)
    if mask.any():
        padded = np.pad(mask, 1)
        for down, right in product(range(3), repeat=2):
            found |= padded[y + down, x + right]
    return found
