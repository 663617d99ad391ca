"""The confusion matrix as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.counting_metric import CountingMetric


@keras.saving.register_keras_serializable("amseg_keras")
class ConfusionMatrix(CountingMetric):
    """Pixels of each true class that were called each class.

    `result()` is float32, the nearest to the counts; `counts()` is exact, int64. Truth that is
    neither one of the classes nor to be ignored is not counted: a compiled metric cannot raise
    an error.

    Args:
        num_classes: Classes of the network.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. The result is `(classes,
            classes)`: rows are the true classes, columns the found ones.

    Example:
        >>> import numpy as np
        >>> matrix = ConfusionMatrix(num_classes=2)
        >>> found = np.array([[[[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]]]])
        >>> matrix.update_state(np.array([[[0, 1, 1, 255]]]), found)
        >>> matrix.counts()
        array([[1, 0],
               [1, 1]])
    """

    def __init__(
        self,
        num_classes: int,
        ignore: int | None = IGNORE,
        name: str = "confusion_matrix",
        **kwargs: Any,
    ) -> None:
        super().__init__((num_classes, num_classes), ignore, name, **kwargs)
        self.num_classes = num_classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if y_pred.shape[-1] != self.num_classes:
            raise ValueError(
                f"{self.name} is for {self.num_classes} classes, not {y_pred.shape[-1]}"
            )
        super().update_state(y_true, y_pred, sample_weight)

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        classes = ops.arange(self.num_classes, dtype="int32")
        true = ops.cast((truth[..., None] == classes) & seen[..., None], "float32")
        called = ops.cast(found[..., None] == classes, "float32")
        # Frame by frame, in which float32 is exact up to 4096 x 4096 pixels.
        frames = ops.einsum("bhwt,bhwf->btf", true, called)
        return ops.sum(ops.cast(frames, "int32"), axis=0)

    def score(self, counts: Any) -> Any:
        return counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
