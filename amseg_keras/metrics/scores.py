"""Confusion matrices of label maps and the scores that follow from them, in NumPy."""

from __future__ import annotations

import numpy as np

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
    """Intersection over union of each class, TP / (TP + FP + FN).

    Args:
        matrix: Pixel counts `(true classes, found classes)`, as of `confusion_matrix`.

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
    """F1 (= Dice) of each class, 2 TP / (2 TP + FP + FN).

    Args:
        matrix: Pixel counts `(true classes, found classes)`, as of `confusion_matrix`.

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
    """Whether an overlap, in pixels, is at least the given share of an area."""
    # Half a thousandth of a pixel of leniency: 0.1 of 30 pixels is 3 of them, whatever the
    # rounding of 0.1 and in whichever float type it is calculated.
    return overlap >= min_overlap * area - 5e-4


def _overlap_and_total(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TP, and the pixels in the truth plus those found, of each class."""
    matrix = np.asarray(matrix, np.float64)
    return np.diagonal(matrix), matrix.sum(axis=0) + matrix.sum(axis=1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))
