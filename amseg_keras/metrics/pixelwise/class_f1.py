"""The F1 of one class as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.metrics.pixelwise.of_one_class import OfOneClass
from amseg_keras.metrics.pixelwise.overlap import f1


@keras.saving.register_keras_serializable("amseg_keras")
class ClassF1(OfOneClass):
    """F1 (= Dice) of one class, over all pixels: `2 TP / (2 TP + FP + FN)`.

    NaN as long as the class is neither in the truth nor in what was found.

    Args:
        class_id: Of the class.
        num_classes: Classes of the network.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric; None: `f1_` and the class id.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        As those of `ConfusionMatrix`; the result is a float32 scalar.

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
