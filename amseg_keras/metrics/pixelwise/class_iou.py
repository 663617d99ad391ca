"""The IoU of one class as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.pixelwise.confusion_matrix import ConfusionMatrix
from amseg_keras.metrics.pixelwise.overlap import check_class_id, iou


@keras.saving.register_keras_serializable("amseg_keras")
class ClassIoU(ConfusionMatrix):
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

    def __init__(
        self,
        class_id: int,
        num_classes: int,
        ignore: int | None = IGNORE,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, ignore, name or f"iou_{class_id}", **kwargs)
        self.class_id = check_class_id(class_id, num_classes)

    def score(self, counts: Any) -> Any:
        return iou(counts)[self.class_id]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_id": self.class_id}
