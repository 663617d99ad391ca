"""How far the labels of two engines are the same."""

from __future__ import annotations

import numpy as np

from amseg_keras.metrics.scores import confusion_matrix, iou_per_class


def equal_fraction(labels: np.ndarray, reference: np.ndarray) -> float:
    """Share of the pixels that have the same class.

    Example:
        >>> equal_fraction(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.75
    """
    return float((labels == reference).mean())


def lost_iou(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> float:
    """What the mean IoU is below 1 where the reference is taken for the truth.

    Example:
        >>> lost_iou(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 1]), 3)
        0.0
    """
    matrix = confusion_matrix(reference, labels, num_classes, ignore=None)
    return float(1 - np.nanmean(iou_per_class(matrix)))
