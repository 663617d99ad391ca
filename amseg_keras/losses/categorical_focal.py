"""The categorical focal loss: cross-entropy that looks at the pixels it is wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.losses.segmentation_loss import SegmentationLoss

_TINY = 1e-7


@keras.saving.register_keras_serializable("amseg_keras")
class CategoricalFocal(SegmentationLoss):
    """Categorical focal loss (Lin et al. 2017), the mean over all seen pixels of a batch.

    For each pixel `-w (1 - p)^gamma log(p)`, with the probability p and the weight w of its true
    class. One part of the paper's loss (section 3.1).

    Args:
        class_weights: What a pixel of each class counts; None: 1. The sum is divided by the
            number of pixels, not by that of their weights.
        ignore: Class id of pixels that have no part in the loss; None: all have.
        from_logits: The network ends before its softmax; more exact where it is very wrong.
        gamma: How little pixels count that are nearly right, 0 or more; 0: cross-entropy.
        name: Of the loss.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`, or one-hot
            `(batch, height, width, classes)`, of any type; a one-hot pixel that is all 0 is
            ignored. y_pred: `(batch, height, width, classes)`, any float type. The loss is a
            float32 scalar; 0 if all pixels are ignored.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[[0, 1, 255]]])
        >>> found = np.array([[[[0.5, 0.5], [0, 1], [0.5, 0.5]]]], "float32")
        >>> round(float(CategoricalFocal()(truth, found)), 4)  # 0.5^2 log(2) / 2
        0.0866
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        ignore: int | None = IGNORE,
        from_logits: bool = False,
        gamma: float = 2.0,
        name: str = "categorical_focal",
    ) -> None:
        super().__init__(class_weights, ignore, from_logits, name)
        if not gamma >= 0:
            raise ValueError(f"gamma {gamma} must be 0 or more")
        self.gamma = float(gamma)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any) -> Any:
        if self.from_logits:
            log = ops.log_softmax(predicted)
            probability = ops.exp(log)
        else:
            # Not clipped, as Keras' own is: a pixel that is as wrong as can be would get no
            # gradient.
            log = ops.log(predicted + _TINY)
            probability = predicted
        entropy = -self.weights(truth.shape[-1]) * truth * log
        if self.gamma:
            # Away from 0, where the gradient is infinite for a gamma below 1, and from the
            # rounding below it.
            entropy = entropy * ops.power(ops.maximum(1.0 - probability, _TINY), self.gamma)
        return ops.sum(entropy) / ops.maximum(ops.sum(seen), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma}
