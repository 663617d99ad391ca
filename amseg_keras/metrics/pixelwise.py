"""Keras metrics that count pixels, each in a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.counting import CountingMetric, ratio


@keras.saving.register_keras_serializable("amseg_keras")
class ConfusionMatrix(CountingMetric):
    """Confusion matrix: pixels by their true and their predicted class.

    `result()` is float32, the nearest to the counts; `counts()` is exact, int64. Other ids in the
    truth than classes and `ignore_class` are not counted, because a compiled metric cannot raise
    an error.

    Args:
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. sample_weight: `(batch,)`
            or `(batch, height, width)`. The result is `(classes, classes)`: rows are the true
            classes, columns the predicted ones.

    Example:
        >>> import numpy as np
        >>> matrix = ConfusionMatrix(num_classes=2)
        >>> found = np.array([[[[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]]])
        >>> matrix.update_state(np.array([[[0, 1, 1, 255]]]), found)
        >>> matrix.counts()
        array([[1, 0],
               [1, 1]])
    """

    default_name: ClassVar[str] = "confusion_matrix"

    def __init__(
        self,
        num_classes: int,
        ignore_class: int | None = IGNORE,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        shape = num_classes, num_classes
        super().__init__(shape, ignore_class, name or self.default_name, dtype)
        self.num_classes = num_classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if y_pred.shape[-1] != self.num_classes:
            raise ValueError(
                f"{self.name} is for {self.num_classes} classes, not {y_pred.shape[-1]}"
            )
        super().update_state(y_true, y_pred, sample_weight)

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        return self.count_weighted(truth, found, seen, 1.0)

    def count_weighted(self, truth: Any, found: Any, seen: Any, weights: Any) -> Any:
        classes = ops.arange(self.num_classes, dtype="int32")
        weights = ops.cast(seen, "float32") * weights
        true = ops.cast(truth[..., None] == classes, "float32") * weights[..., None]
        called = ops.cast(found[..., None] == classes, "float32")
        return ops.einsum("bhwt,bhwf->btf", true, called)

    def score(self, counts: Any) -> Any:
        return counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable("amseg_keras")
class MeanIoU(ConfusionMatrix):
    """The mean of the IoU of each class, `TP / (TP + FP + FN)`, over all pixels.

    Classes without true and predicted pixels are left out of the mean, which is NaN without any
    class.

    Args:
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `mean_iou`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        The same as for `ConfusionMatrix`; the result is a float32 scalar.

    Example:
        >>> import numpy as np
        >>> score = MeanIoU(num_classes=3)  # one of which is nowhere
        >>> found = np.array([[[[0.9, 0.1, 0], [0.3, 0.7, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]]]])
        >>> round(float(score(np.array([[[0, 1, 1, 255]]]), found)), 3)
        0.5
    """

    default_name = "mean_iou"

    def score(self, counts: Any) -> Any:
        return mean_of_present(iou(counts))


@keras.saving.register_keras_serializable("amseg_keras")
class MeanF1(ConfusionMatrix):
    """The mean of the F1 (= Dice) of each class, `2 TP / (2 TP + FP + FN)`, over all pixels.

    Classes without true and predicted pixels are left out of the mean, which is NaN without any
    class.

    Args:
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `mean_f1`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        The same as for `ConfusionMatrix`; the result is a float32 scalar.

    Example:
        >>> import numpy as np
        >>> score = MeanF1(num_classes=3)  # one of which is nowhere
        >>> found = np.array([[[[0.9, 0.1, 0], [0.3, 0.7, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]]]])
        >>> round(float(score(np.array([[[0, 1, 1, 255]]]), found)), 3)
        0.667
    """

    default_name = "mean_f1"

    def score(self, counts: Any) -> Any:
        return mean_of_present(f1(counts))


class OfOneClass(ConfusionMatrix):
    """Base class of the scores of one class.

    Args:
        class_id: Id of the class.
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `<kind>_<class_id>`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        class_id: int,
        num_classes: int,
        ignore_class: int | None = IGNORE,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_classes, ignore_class, name or f"{self.kind}_{class_id}", dtype)
        self.class_id = check_class_id(class_id, num_classes)

    def score(self, counts: Any) -> Any:
        return self.of_classes(counts)[self.class_id]

    def of_classes(self, counts: Any) -> Any:
        """Compute the score of each class, `(classes,)`, from the confusion matrix."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_id": self.class_id}


@keras.saving.register_keras_serializable("amseg_keras")
class ClassIoU(OfOneClass):
    """Intersection over union of one class, over all pixels: `TP / (TP + FP + FN)`.

    NaN as long as the class has neither true nor predicted pixels.

    Args:
        class_id: Id of the class.
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `iou_<class_id>`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        The same as for `ConfusionMatrix`; the result is a float32 scalar.

    Example:
        >>> import numpy as np
        >>> score = ClassIoU(class_id=1, num_classes=2)
        >>> found = np.array([[[[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]]])
        >>> round(float(score(np.array([[[0, 1, 1, 255]]]), found)), 3)
        0.5
    """

    kind = "iou"

    def of_classes(self, counts: Any) -> Any:
        return iou(counts)


@keras.saving.register_keras_serializable("amseg_keras")
class ClassF1(OfOneClass):
    """F1 (= Dice) of one class, over all pixels: `2 TP / (2 TP + FP + FN)`.

    NaN as long as the class has neither true nor predicted pixels.

    Args:
        class_id: Id of the class.
        num_classes: Number of classes of the network.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `f1_<class_id>`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        The same as for `ConfusionMatrix`; the result is a float32 scalar.

    Example:
        >>> import numpy as np
        >>> score = ClassF1(class_id=1, num_classes=2)
        >>> found = np.array([[[[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]]])
        >>> round(float(score(np.array([[[0, 1, 1, 255]]]), found)), 3)
        0.667
    """

    kind = "f1"

    def of_classes(self, counts: Any) -> Any:
        return f1(counts)


@keras.saving.register_keras_serializable("amseg_keras")
class SegmentationScores(ConfusionMatrix):
    """IoU and F1 of every class and their means, over all pixels, from one confusion matrix.

    These are the measures of the paper (section 3.1). Keras logs each of them in `fit` and
    `evaluate` under its own name, so that callbacks can monitor `mean_iou` or `val_iou_pore`. The
    score of a class without true and predicted pixels is NaN, and is left out of the mean.

    Args:
        class_names: Names of the classes, in the order of the network's ids.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        The same as for `ConfusionMatrix`; the result is a dict of float32 scalars.

    Example:
        >>> import numpy as np
        >>> scores = SegmentationScores(["metal", "pore"])
        >>> found = np.array([[[[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]]])
        >>> result = scores(np.array([[[0, 1, 1, 255]]]), found)
        >>> for name, value in result.items():
        ...     print(name, round(float(value), 3))
        mean_iou 0.5
        mean_f1 0.667
        iou_metal 0.5
        iou_pore 0.5
        f1_metal 0.667
        f1_pore 0.667
    """

    def __init__(
        self,
        class_names: Sequence[str],
        ignore_class: int | None = IGNORE,
        name: str = "segmentation_scores",
        dtype: Any = None,
    ) -> None:
        super().__init__(len(class_names), ignore_class, name, dtype)
        if len(set(class_names)) < len(class_names):
            raise ValueError(f"class_names {list(class_names)}: one is there twice")
        self.class_names = list(class_names)

    def score(self, counts: Any) -> dict[str, Any]:
        scores = {"iou": iou(counts), "f1": f1(counts)}
        means = {f"mean_{kind}": mean_of_present(values) for kind, values in scores.items()}
        return means | {
            f"{kind}_{name}": values[class_id]
            for kind, values in scores.items()
            for class_id, name in enumerate(self.class_names)
        }

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["num_classes"]
        return {**config, "class_names": self.class_names}


def iou(matrix: Any) -> Any:
    """Compute TP / (TP + FP + FN) of each class, `(classes,)`; NaN without pixels."""
    both, total = _both_and_total(matrix)
    return ratio(both, total - both)


def f1(matrix: Any) -> Any:
    """Compute 2 TP / (2 TP + FP + FN) of each class, `(classes,)`; NaN without pixels."""
    both, total = _both_and_total(matrix)
    return ratio(2.0 * both, total)


def mean_of_present(scores: Any) -> Any:
    """Average the scores that are not NaN; NaN if all scores are NaN."""
    absent = ops.isnan(scores)
    return ratio(
        ops.sum(ops.where(absent, 0.0, scores)),
        ops.sum(ops.cast(ops.logical_not(absent), "float32")),
    )


def check_class_id(class_id: int, num_classes: int) -> int:
    """Return the id of one of the classes, or raise a ValueError.

    A negative id would count from the end, and some backends would clip a too large one.
    """
    if not 0 <= class_id < num_classes:
        raise ValueError(f"class_id {class_id} is none of the classes 0 to {num_classes - 1}")
    return class_id


def _both_and_total(matrix: Any) -> tuple[Any, Any]:
    return ops.diagonal(matrix), ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1)
