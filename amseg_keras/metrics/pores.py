"""True and found pores, matched one by one, in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.measure import label


class PoreMatches(NamedTuple):
    """Pores that are there, and that were called.

    Attributes:
        true: Pores in the truth.
        true_found: Of them, those that were found.
        found: Pores that were called.
        found_right: Of them, those that are right.

    Example:
        Recall and precision, summed over two frames:

        >>> frames = [PoreMatches(4, 3, 5, 3), PoreMatches(6, 5, 5, 5)]
        >>> true, true_found, found, found_right = np.sum(frames, axis=0).tolist()
        >>> true_found / true, found_right / found
        (0.8, 0.8)
    """

    true: int
    true_found: int
    found: int
    found_right: int


def pore_matches(
    truth_mask: np.ndarray, found_mask: np.ndarray, min_overlap: float = 0.5
) -> PoreMatches:
    """Count the pores of one frame that were found, and the found ones that are right.

    A pore is an 8-connected component of a mask. A true pore is found if at least `min_overlap`
    of its area is called pore, by however many found pores; a found pore is right if at least
    `min_overlap` of its area lies on true pores. So one found pore across two true ones finds
    both, and half a pore, found, finds it and is right.

    Pixels to be ignored are to be False in both masks.

    Args:
        truth_mask: Where pores are, bool `(height, width)`.
        found_mask: Where they were called, of the same shape.
        min_overlap: Share of the area, above 0 and at most 1.

    Example:
        >>> truth = np.array([[1, 1, 0, 0, 0, 1]], bool)
        >>> found = np.array([[0, 1, 0, 1, 0, 0]], bool)
        >>> pore_matches(truth, found)
        PoreMatches(true=2, true_found=1, found=2, found_right=1)
    """
    truth_mask, found_mask = np.asarray(truth_mask, bool), np.asarray(found_mask, bool)
    return PoreMatches(
        *_covered(truth_mask, found_mask, min_overlap),
        *_covered(found_mask, truth_mask, min_overlap),
    )


def _covered(mask: np.ndarray, other: np.ndarray, min_overlap: float) -> tuple[int, int]:
    """Components of a mask, and how many of them lie for `min_overlap` of their area on another."""
    components = label(mask, connectivity=2)
    areas = np.bincount(components[mask])[1:]
    overlaps = np.bincount(components[mask & other], minlength=len(areas) + 1)[1:]
    return len(areas), int(np.sum(reaches(overlaps, areas, min_overlap)))


def reaches(overlap: np.ndarray, area: np.ndarray, min_overlap: float) -> np.ndarray:
    """Whether an overlap, in pixels, is at least the given share of an area."""
    # Half a thousandth of a pixel of leniency: 0.1 of 30 pixels is 3 of them, whatever the
    # rounding of 0.1 and in whichever float type it is calculated.
    return overlap >= min_overlap * area - 5e-4
