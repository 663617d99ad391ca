"""How well the boundary of a class is met, as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.counting_metric import CountingMetric
from amseg_keras.metrics.shapewise.highest_near import highest_near


@keras.saving.register_keras_serializable("amseg_keras")
class BoundaryF1(CountingMetric):
    """F1 of the boundary pixels of a class, over the whole set, with a tolerance.

    Boundary pixels are the pixels of the class with a 4-neighbour that is of another class; the
    edge of the frame makes none, nor does the edge of what is to be ignored. Precision is the
    share of the found ones with a true one within the tolerance, recall the share of the true
    ones with a found one within it; `2 precision recall / (precision + recall)`. Distances are
    chessboard distances. `amseg_keras.metrics.boundary_matches` counts the same in NumPy.

    NaN as long as there is neither a true nor a found boundary; 0 if there is only one of them.

    Args:
        class_id: Of the class.
        tolerance: In pixels; 0 asks for the same pixel.
        ignore: Class id in the truth of pixels that are left out; None: none are.
        name: Of the metric; None: `boundary_f1_` and the class id.
        **kwargs: `dtype`, as every Keras metric has it.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. The result is a float32
            scalar; `counts()` are the true, of them found, found, of them right boundary pixels.

    Example:
        >>> import numpy as np
        >>> truth, found = np.zeros((2, 1, 8, 8), int)
        >>> truth[:, :, :4] = found[:, :, :5] = 1
        >>> float(BoundaryF1(class_id=1, tolerance=1)(truth, np.eye(2)[found]))
        1.0
        >>> float(BoundaryF1(class_id=1, tolerance=0)(truth, np.eye(2)[found]))
        0.0
    """

    def __init__(
        self,
        class_id: int,
        tolerance: int = 2,
        ignore: int | None = IGNORE,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__((4,), ignore, name or f"boundary_f1_{class_id}", **kwargs)
        if tolerance < 0:
            raise ValueError(f"tolerance {tolerance} must be 0 or more")
        self.class_id = class_id
        self.tolerance = tolerance

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        true_boundary = self._boundary(truth, seen)
        found_boundary = self._boundary(found, seen)
        parts = [
            true_boundary,
            true_boundary * highest_near(found_boundary, self.tolerance, self.tolerance),
            found_boundary,
            found_boundary * highest_near(true_boundary, self.tolerance, self.tolerance),
        ]
        return ops.stack([ops.sum(ops.cast(part, "int32")) for part in parts])

    def _boundary(self, ids: Any, seen: Any) -> Any:
        """1 on boundary pixels, float32 `(batch, height, width)`."""
        own = ops.cast((ids == self.class_id) & seen, "float32")
        others = ops.cast((ids != self.class_id) & seen, "float32")
        return own * ops.maximum(highest_near(others, 1, 0), highest_near(others, 0, 1))

    def score(self, counts: Any) -> Any:
        true, true_found, found, found_right = (counts[part] for part in range(4))
        # If there is only one boundary, one of the two shares is undefined and the other is 0.
        precision = found_right / ops.maximum(found, 1.0)
        recall = true_found / ops.maximum(true, 1.0)
        f1 = 2.0 * precision * recall / ops.maximum(precision + recall, 1e-12)
        return ops.where(true + found > 0, f1, float("nan"))

    def get_config(self) -> dict[str, Any]:
        own = {"class_id": self.class_id, "tolerance": self.tolerance}
        return {**super().get_config(), **own}
