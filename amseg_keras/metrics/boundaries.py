"""True and found boundaries of a class, matched pixel by pixel, in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage


class BoundaryMatches(NamedTuple):
    """Boundary pixels that are there, and that were called.

    Attributes:
        true: Boundary pixels in the truth.
        true_found: Of them, those with a found boundary pixel within the tolerance.
        found: Boundary pixels of what was found.
        found_right: Of them, those with a true boundary pixel within the tolerance.

    Example:
        Recall and precision of the boundary, without tolerance:

        >>> truth, found = np.zeros((2, 8, 8), bool)
        >>> truth[2:5, :], found[3:5, :] = True, True
        >>> counts = boundary_matches(truth, found, tolerance=0)
        >>> counts.true_found / counts.true, counts.found_right / counts.found
        (0.5, 0.5)
    """

    true: int
    true_found: int
    found: int
    found_right: int


def boundary_matches(
    truth_mask: np.ndarray,
    found_mask: np.ndarray,
    tolerance: int = 2,
    seen: np.ndarray | None = None,
) -> BoundaryMatches:
    """Count the boundary pixels of a class in one frame that lie near those of the other mask.

    Boundary pixels are the pixels of the class with a 4-neighbour that is not of the class; the
    edge of the frame makes none, nor does the edge of what is to be ignored. Near is within
    `tolerance` in chessboard distance: in the square of `2 tolerance + 1` pixels around.

    Args:
        truth_mask: Where the class is, bool `(height, width)`.
        found_mask: Where it was called, of the same shape.
        tolerance: In pixels; 0 asks for the same pixel.
        seen: False for pixels to be ignored, of the same shape; None: all are seen.

    Example:
        >>> truth, found = np.zeros((2, 8, 8), bool)
        >>> truth[:, :4] = found[:, :5] = True
        >>> boundary_matches(truth, found, tolerance=1)
        BoundaryMatches(true=8, true_found=8, found=8, found_right=8)
        >>> boundary_matches(truth, found, tolerance=0)
        BoundaryMatches(true=8, true_found=0, found=8, found_right=0)
    """
    truth_mask, found_mask = np.asarray(truth_mask, bool), np.asarray(found_mask, bool)
    seen = np.ones(truth_mask.shape, bool) if seen is None else np.asarray(seen, bool)
    truth, found = _boundary(truth_mask, seen), _boundary(found_mask, seen)
    square = np.ones((2 * tolerance + 1,) * 2, bool)
    return BoundaryMatches(
        int(truth.sum()),
        int((truth & ndimage.binary_dilation(found, square)).sum()),
        int(found.sum()),
        int((found & ndimage.binary_dilation(truth, square)).sum()),
    )


def _boundary(mask: np.ndarray, seen: np.ndarray) -> np.ndarray:
    others = seen & ~mask
    return seen & mask & ndimage.binary_dilation(others, ndimage.generate_binary_structure(2, 1))
