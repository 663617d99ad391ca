"""Count pixels, boundaries and pores of true and found label maps, in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from amseg_keras.classes import IGNORE


def confusion_matrix(
    truth: np.ndarray, found: np.ndarray, num_classes: int, ignore: int | None = IGNORE
) -> np.ndarray:
    """Count the pixels of each true class that were called each class.

    Matrices of several frames add up to the matrix of the whole set.

    Args:
        truth: Class ids, whole numbers of any shape.
        found: Class ids that were found, of the same shape.
        num_classes: Ids are 0 to `num_classes - 1`.
        ignore: Id in `truth` of pixels that are not counted; what was found there may be any
            number. None: all are counted.

    Returns:
        int64 `(num_classes, num_classes)`: rows are the true classes, columns the found ones.

    Raises:
        ValueError: The shapes differ, or a counted pixel has an id beyond the classes.

    Example:
        >>> truth, found = np.array([[0, 1, 1, 255]]), np.array([[0, 1, 0, 1]])
        >>> confusion_matrix(truth, found, num_classes=2)
        array([[1, 0],
               [1, 1]])
    """
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.shape != found.shape:
        raise ValueError(f"truth {truth.shape} and found {found.shape} differ in shape")
    if ignore is not None:
        seen = truth != ignore
        truth, found = truth[seen], found[seen]
    for name, ids in (("truth", truth), ("found", found)):
        if ids.size and not 0 <= ids.min() <= ids.max() < num_classes:
            raise ValueError(
                f"{name} has class ids {ids.min()} to {ids.max()}, not within the "
                f"{num_classes} classes 0 to {num_classes - 1}"
            )
    # As intp, since in uint8 the products would overflow.
    pairs = truth.astype(np.intp) * num_classes + found.astype(np.intp)
    counts = np.bincount(pairs.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def iou_per_class(matrix: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of each class, TP / (TP + FP + FN).

    Args:
        matrix: Pixel counts `(true classes, found classes)`, from `confusion_matrix`.

    Returns:
        float64 `(classes,)`, NaN for a class that is neither in the truth nor in what was found.
        `np.nanmean` of it is the mean IoU.

    Example:
        >>> iou_per_class(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
        array([0.75, 0.8 , nan])
    """
    both, either = _overlap_and_total(matrix)
    return _ratio(both, either - both)


def f1_per_class(matrix: np.ndarray) -> np.ndarray:
    """Compute F1 (= Dice) of each class, 2 TP / (2 TP + FP + FN).

    Args:
        matrix: Pixel counts `(true classes, found classes)`, from `confusion_matrix`.

    Returns:
        float64 `(classes,)`, NaN for a class that is neither in the truth nor in what was found.
        `np.nanmean` of it is the mean F1.

    Example:
        >>> f1_per_class(np.array([[3, 0, 0], [2, 5, 0], [0, 0, 0]])).round(3)
        array([0.75 , 0.833,   nan])
    """
    both, either = _overlap_and_total(matrix)
    return _ratio(2 * both, either)


def reaches(overlap: np.ndarray, area: np.ndarray, min_overlap: float) -> np.ndarray:
    """Tell whether an overlap, in pixels, is at least the given share of an area."""
    # Half a thousandth of a pixel of leniency: 0.1 of 30 pixels is 3 of them, whatever the
    # rounding of 0.1 and in whichever float type it is calculated.
    return overlap >= min_overlap * area - 5e-4


def _overlap_and_total(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return TP, and true plus predicted pixels, of each class."""
    matrix = np.asarray(matrix, np.float64)
    return np.diagonal(matrix), matrix.sum(axis=0) + matrix.sum(axis=1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


class BoundaryMatches(NamedTuple):
    """Boundary pixels that are there, and that were called.

    Attributes:
        true: Boundary pixels in the truth.
        true_found: True boundary pixels with a found one within the tolerance.
        found: Boundary pixels of what was found.
        found_right: Found boundary pixels with a true one within the tolerance.

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
    """Count the boundary pixels of a class in one frame that lie near the other mask's boundary.

    Boundary pixels are the pixels of the class with a 4-neighbour that is not of the class; the
    edge of the frame makes none, nor does the edge of what is to be ignored. Near is within
    `tolerance` in chessboard distance: in the square of `2 tolerance + 1` pixels around.

    Args:
        truth_mask: Pixels of the class, bool `(height, width)`.
        found_mask: Pixels that were found to be of the class, bool of the same shape.
        tolerance: Tolerance in pixels; 0 asks for the same pixel.
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
    return np.asarray(
        seen & mask & ndimage.binary_dilation(others, ndimage.generate_binary_structure(2, 1))
    )


class PoreMatches(NamedTuple):
    """Pores that are there, and that were called.

    Attributes:
        true: Pores in the truth.
        true_found: Number of true pores that were found.
        found: Pores that were called.
        found_right: Number of found pores that are right.

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
        truth_mask: Pixels of true pores, bool `(height, width)`.
        found_mask: Pixels of found pores, bool of the same shape.
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
    """Count components of a mask, and those that lie by `min_overlap` of their area on another."""
    components, _ = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(components[mask])[1:]
    overlaps = np.bincount(components[mask & other], minlength=len(areas) + 1)[1:]
    return len(areas), int(np.sum(reaches(overlaps, areas, min_overlap)))
