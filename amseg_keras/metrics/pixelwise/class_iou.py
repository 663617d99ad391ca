"""The IoU of one class as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.metrics.pixelwise.of_one_class import OfOneClass
from amseg_keras.metrics.pixelwise.overlap import iou


@keras.saving.register_keras_serializable("amseg_keras")
class ClassIoU(OfOneClass):
    """Intersection over union of one class, over all pixels: `TP / (TP + FP + FN)`.

    NaN as long as the class is neither in the truth nor in what was found.

    Args:
        class_id: Of the class.
        num_classes: Classes of the network.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric; None: `iou_` and the class id.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        As those of `ConfusionMatrix`; the result is a float32 scalar.

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
