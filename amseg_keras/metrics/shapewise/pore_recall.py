"""The share of true pores that were found, as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.shapewise.pore_share import PoreShare


@keras.saving.register_keras_serializable("amseg_keras")
class PoreRecall(PoreShare):
    """Share of the true pores that were found, over the whole set; large and small count alike.

    A pore is an 8-connected component of the class in a frame. A true one is found if at least
    `min_overlap` of its area is called pore. Ignored pixels belong to none; they may cut a pore
    in two. `amseg_keras.metrics.pore_matches` counts the same in NumPy.

    NaN as long as there is no true pore.

    Args:
        class_id: Of the pores.
        min_overlap: Share of a true pore's area, above 0 and at most 1.
        ignore: Class id in the truth of pixels that are left out; None: none are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. The result is a float32
            scalar; `counts()` are the true pores, and of them the found ones.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[[0, 1, 1, 0, 0, 0]]])
        >>> found = np.array([[[0, 0, 1, 0, 1, 1]]])
        >>> float(PoreRecall(class_id=1)(truth, np.eye(2)[found]))
        1.0
    """

    def __init__(
        self,
        class_id: int,
        min_overlap: float = 0.5,
        ignore: int | None = IGNORE,
        name: str = "pore_recall",
        **kwargs: Any,
    ) -> None:
        super().__init__(class_id, min_overlap, ignore, name, **kwargs)

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        return self.count_on(truth, found, seen)
