"""What the Keras metrics share: label maps from a batch, and counts that stay exact."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

_HIGH = 1 << 24


class CountingMetric(keras.metrics.Metric):
    """Base of the metrics: counts, summed over everything that it is updated with.

    A subclass says in `count` what is counted in a batch and in `score` what follows from it.

    float32 has no odd numbers above 2^24, JAX usually no int64, and on GPUs TensorFlow keeps
    int32 variables away from compiled functions. So each count is in two float32 variables, its
    multiples of 2^24 and the rest, and stays exact up to 2^48.

    Args:
        shape: Of the counts.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it; counts are float32 in any case.
    """

    def __init__(
        self, shape: tuple[int, ...], ignore: int | None, name: str, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.ignore = ignore
        self.low = self.add_variable(shape, "zeros", dtype="float32", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="float32", name="high")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`, any type.
            y_pred: Probabilities or logits, `(batch, height, width, classes)`, any float type.
            sample_weight: None: these metrics count whole pixels; leave pixels out with `ignore`.
        """
        if sample_weight is not None:
            raise ValueError(
                f"{self.name} takes no sample_weight; leave pixels out with the label {self.ignore}"
            )
        if getattr(y_pred, "is_meta", False):
            # Keras on PyTorch infers shapes with tensors that have none but a shape; a metric that
            # fails at it, as loops that ask for values do, takes those beside it down.
            return
        truth = ops.cast(y_true, "int32")
        if len(truth.shape) == 4:
            truth = ops.squeeze(truth, -1)
        found = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        seen = ops.ones_like(truth, "bool") if self.ignore is None else truth != self.ignore
        counts = ops.cast(self.low, "int32") + self.count(truth, found, seen)
        carried = counts // _HIGH
        self.low.assign(ops.cast(counts - carried * _HIGH, "float32"))
        self.high.assign(self.high + ops.cast(carried, "float32"))

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        """Counts of a batch, int32.

        Args:
            truth: True class ids, int32 `(batch, height, width)`.
            found: Found class ids, likewise.
            seen: False where ignored, bool, likewise.
        """
        raise NotImplementedError

    def result(self) -> Any:
        # The nearest float32: the scores are ratios of them.
        return self.score(self.high * _HIGH + self.low)

    def score(self, counts: Any) -> Any:
        """What follows from all counts, float32."""
        raise NotImplementedError

    def counts(self) -> np.ndarray:
        """The exact counts so far, int64; not to be called in a compiled function."""
        low, high = (ops.convert_to_numpy(part).astype(np.int64) for part in (self.low, self.high))
        return high * _HIGH + low

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ignore": self.ignore}


def ratio(part: Any, whole: Any) -> Any:
    """Divide counts, tensors of any shape; NaN where the whole is 0."""
    return ops.where(whole > 0, part / ops.maximum(whole, 1.0), float("nan"))
