"""The Dice loss: how little truth and prediction overlap, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.losses.segmentation_loss import SegmentationLoss


@keras.saving.register_keras_serializable("amseg_keras")
class Dice(SegmentationLoss):
    """Dice loss over all pixels of a batch: a small class counts as much as a large one.

    For each class `1 - (2 sum(t p) + s) / (sum(t) + sum(p) + s)`, with the truth t, 0 or 1, the
    probability p, sums over all seen pixels of the batch (not of each frame) and `s = smooth *
    seen pixels`; then the mean over the classes with their weights. One part of the paper's loss
    (section 3.1).

    Every class counts, one that is absent from a batch too: its term is what is wrongly called
    that class, `1 - s / (sum(p) + s)`.

    Args:
        class_weights: What each class counts in the mean; None: all alike.
        ignore: Class id of pixels that have no part in the loss; None: all have.
        from_logits: The network ends before its softmax.
        smooth: What a class must be large against, above 0, as a share of the seen pixels.
        name: Of the loss.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`, or one-hot
            `(batch, height, width, classes)`, of any type; a one-hot pixel that is all 0 is
            ignored. y_pred: `(batch, height, width, classes)`, any float type. The loss is a
            float32 scalar; 0 if all pixels are ignored.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[[0, 0, 1, 255]]])
        >>> found = np.array([[[[1, 0], [0.5, 0.5], [0, 1], [1, 0]]]], "float32")
        >>> round(float(Dice()(truth, found)), 3)  # classes 1 - 3 / 3.5 and 1 - 2 / 2.5
        0.171
    """

    # An absent class that is called with the mean probability q costs q / (q + smooth), and pulls
    # at the logits with q smooth / (q + smooth)^2: most at q = smooth. Were smooth much smaller,
    # as the usual 1e-6, batches without pores would ask for ever smaller probabilities, with the
    # full force of a class, where nothing is called a pore any more. 1e-4 are 13 pixels of a
    # 256 x 512 frame, about the smallest pore. A share, for the loss not to depend on the size of
    # frames and batches.
    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        ignore: int | None = IGNORE,
        from_logits: bool = False,
        smooth: float = 1e-4,
        name: str = "dice",
    ) -> None:
        super().__init__(class_weights, ignore, from_logits, name)
        if not smooth > 0:
            raise ValueError(f"smooth {smooth} must be above 0")
        self.smooth = float(smooth)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any) -> Any:
        probability = (ops.softmax(predicted) if self.from_logits else predicted) * seen
        pixels = (0, 1, 2)
        overlap = ops.sum(truth * probability, axis=pixels)
        total = ops.sum(truth, axis=pixels) + ops.sum(probability, axis=pixels)
        smooth = self.smooth * ops.maximum(ops.sum(seen), 1.0)
        dice = (2.0 * overlap + smooth) / (total + smooth)
        weights = self.weights(truth.shape[-1])
        return ops.sum(weights * (1.0 - dice)) / ops.sum(weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smooth": self.smooth}
