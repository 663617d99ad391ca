"""IoU and F1 of each class from a confusion matrix, as tensors.

In NumPy they are in `amseg_keras.metrics.scores`.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from amseg_keras.metrics.counting_metric import ratio


def iou(matrix: Any) -> Any:
    """TP / (TP + FP + FN) of each class, NaN where there is none: `(classes,)`."""
    both, total = _both_and_total(matrix)
    return ratio(both, total - both)


def f1(matrix: Any) -> Any:
    """2 TP / (2 TP + FP + FN) of each class, NaN where there is none: `(classes,)`."""
    both, total = _both_and_total(matrix)
    return ratio(2.0 * both, total)


def mean_of_present(scores: Any) -> Any:
    """The mean of the scores that are not NaN; NaN if all are."""
    absent = ops.isnan(scores)
    return ratio(
        ops.sum(ops.where(absent, 0.0, scores)),
        ops.sum(ops.cast(ops.logical_not(absent), "float32")),
    )


def check_class_id(class_id: int, num_classes: int) -> int:
    """The id of one of the classes, or a ValueError.

    A negative one would count from the end, and one beyond would, on some backends, be clipped.
    """
    if not 0 <= class_id < num_classes:
        raise ValueError(f"class_id {class_id} is none of the classes 0 to {num_classes - 1}")
    return class_id


def _both_and_total(matrix: Any) -> tuple[Any, Any]:
    return ops.diagonal(matrix), ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1)
