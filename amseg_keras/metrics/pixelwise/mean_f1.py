"""The mean F1 of the classes as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.pixelwise.confusion_matrix import ConfusionMatrix
from amseg_keras.metrics.pixelwise.overlap import f1, mean_of_present


@keras.saving.register_keras_serializable("amseg_keras")
class MeanF1(ConfusionMatrix):
    """The mean of the F1 (= Dice) of each class, `2 TP / (2 TP + FP + FN)`, over all pixels.

    Classes that are neither in the truth nor in what was found are left out of the mean; it is
    NaN if all are.

    Args:
        num_classes: Classes of the network.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        As those of `ConfusionMatrix`; the result is a float32 scalar.

    Example:
        >>> import numpy as np
        >>> score = MeanF1(num_classes=3)  # one of which is nowhere
        >>> found = np.array([[[[0.9, 0.1, 0], [0.3, 0.7, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]]]])
        >>> round(float(score(np.array([[[0, 1, 1, 255]]]), found)), 3)
        0.667
    """

    def __init__(
        self, num_classes: int, ignore: int | None = IGNORE, name: str = "mean_f1", **kwargs: Any
    ) -> None:
        super().__init__(num_classes, ignore, name, **kwargs)

    def score(self, counts: Any) -> Any:
        return mean_of_present(f1(counts))
