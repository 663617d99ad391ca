"""All pixel-wise scores of a training in one Keras metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.pixelwise.confusion_matrix import ConfusionMatrix
from amseg_keras.metrics.pixelwise.overlap import f1, iou, mean_of_present


@keras.saving.register_keras_serializable("amseg_keras")
class SegmentationScores(ConfusionMatrix):
    """IoU and F1 of every class and their means, over all pixels, from one confusion matrix.

    The measures of the paper (section 3.1). Keras puts each of them in the logs of `fit` and
    `evaluate`, under its own name: `mean_iou`, `val_iou_pore` can be monitored by callbacks. The
    score of a class that is neither in the truth nor in what was found is NaN, and has no part in
    the mean.

    Args:
        class_names: In the order of the network's ids.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        As those of `ConfusionMatrix`; the result is a dict of float32 scalars.

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
        ignore: int | None = IGNORE,
        name: str = "segmentation_scores",
        **kwargs: Any,
    ) -> None:
        super().__init__(len(class_names), ignore, name, **kwargs)
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
