"""The paper's loss: Dice plus categorical focal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.losses.categorical_focal import CategoricalFocal
from amseg_keras.losses.dice import Dice
from amseg_keras.losses.segmentation_loss import SegmentationLoss


@keras.saving.register_keras_serializable("amseg_keras")
class DicePlusFocal(SegmentationLoss):
    """The sum of `Dice` and `CategoricalFocal`, the loss of the paper (section 3.1).

    Dice sees to the classes of few pixels, focal to single pixels that are wrong.

    Args:
        class_weights: Of both losses, against imbalance; None: all classes alike.
        ignore: Class id of pixels that have no part in the loss; None: all have.
        from_logits: The network ends before its softmax.
        gamma: Of `CategoricalFocal`.
        smooth: Of `Dice`.
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
        >>> round(float(DicePlusFocal()(truth, found)), 4)  # (1/3 + 1/5) / 2 + 0.5^2 log(2) / 2
        0.3533
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        ignore: int | None = IGNORE,
        from_logits: bool = False,
        gamma: float = 2.0,
        smooth: float = 1e-4,
        name: str = "dice_plus_focal",
    ) -> None:
        super().__init__(class_weights, ignore, from_logits, name)
        self.dice = Dice(class_weights, ignore, from_logits, smooth)
        self.focal = CategoricalFocal(class_weights, ignore, from_logits, gamma)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any) -> Any:
        dice = self.dice.of_pixels(truth, seen, predicted)
        return dice + self.focal.of_pixels(truth, seen, predicted)

    def get_config(self) -> dict[str, Any]:
        own = {"gamma": self.focal.gamma, "smooth": self.dice.smooth}
        return {**super().get_config(), **own}
