"""Shared parts of the Keras metrics: label maps from a batch, and counts that stay exact."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from amseg_keras.sample_weights import pixel_weights

_HIGH = 1 << 24


class CountingMetric(keras.metrics.Metric):
    """Base class of the metrics: counts, summed over all updates.

    A subclass counts in each frame in `count`, and computes its score from all counts in `score`.

    float32 has no odd numbers above 2^24, JAX usually no int64, and on GPUs TensorFlow keeps
    int32 variables away from compiled functions. So each count is in two float32 variables, its
    multiples of 2^24 and the rest. Counts of whole pixels stay exact up to 2^48.

    Args:
        shape: Shape of the counts.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.
    """

    def __init__(
        self, shape: tuple[int, ...], ignore_class: int | None, name: str, dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.ignore_class = ignore_class
        self.low = self.add_variable(shape, "zeros", dtype="float32", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="float32", name="high")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`, any type.
            y_pred: Probabilities or logits, `(batch, height, width, classes)`, any float type.
            sample_weight: Weight of each frame, `(batch,)`, or, for metrics that count pixels, of
                each pixel, `(batch, height, width)`. A weight of 2 counts as twice the frame.

        Raises:
            ValueError: The weights have another shape, or they weight pixels and the metric
                counts shapes.
        """
        if getattr(y_pred, "is_meta", False):
            # Keras on PyTorch infers shapes with tensors without values; a metric that fails there
            # disables the other metrics too.
            return
        truth = ops.cast(y_true, "int32")
        if len(truth.shape) == 4:
            truth = ops.squeeze(truth, -1)
        found = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        ignored = self.ignore_class
        seen = ops.ones_like(truth, "bool") if ignored is None else truth != ignored
        if sample_weight is None:
            frames = self.count(truth, found, seen)
        else:
            weights = pixel_weights(sample_weight, truth.shape, self.name)
            frames = self.count_weighted(truth, found, seen, weights)
        self._add(frames)

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        """Count in each frame, in which float32 is exact up to 4096 x 4096 pixels.

        Args:
            truth: True class ids, int32 `(batch, height, width)`.
            found: Found class ids, likewise.
            seen: False where ignored, bool, likewise.

        Returns:
            Whole numbers, float32 `(batch, *shape)`.
        """
        raise NotImplementedError

    def count_weighted(self, truth: Any, found: Any, seen: Any, weights: Any) -> Any:
        """Count as `count` does, with a weight for each frame.

        Args:
            truth: True label maps, as in `count`.
            found: Found label maps, as in `count`.
            seen: Pixels that count, as in `count`.
            weights: Weights, float32, `(batch, 1, 1)`, or of the shape of `truth` where a metric
                counts pixels.
        """
        if tuple(weights.shape[1:]) != (1, 1):
            raise ValueError(
                f"{self.name} counts shapes, not pixels: sample_weight must have one weight for "
                f"each frame, not the shape {tuple(weights.shape)}"
            )
        frames = self.count(truth, found, seen)
        return frames * ops.reshape(weights, (-1, *[1] * (len(frames.shape) - 1)))

    def result(self) -> Any:
        # The nearest float32 is enough for ratios.
        return self.score(self.high * _HIGH + self.low)

    def score(self, counts: Any) -> Any:
        """Compute the score of all counts, float32."""
        raise NotImplementedError

    def counts(self) -> np.ndarray:
        """Return the counts so far. This does not work in a compiled function.

        Returns:
            The exact counts, int64; float64 if weights made them fractions.
        """
        low, high = (
            ops.convert_to_numpy(part).astype(np.float64) for part in (self.low, self.high)
        )
        total = high * _HIGH + low
        whole = total.astype(np.int64)
        return np.asarray(whole if np.array_equal(whole, total) else total)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ignore_class": self.ignore_class}

    def _add(self, frames: Any) -> None:
        """Add the counts of all frames, whole numbers as integers and fractions apart."""
        known, whole = ops.floor(self.low), ops.floor(frames)
        fraction = self.low - known + ops.sum(frames - whole, axis=0)
        more = ops.floor(fraction)
        counts = ops.cast(known, "int32") + ops.sum(ops.cast(whole, "int32"), axis=0)
        counts = counts + ops.cast(more, "int32")
        carried = counts // _HIGH
        self.low.assign(ops.cast(counts - carried * _HIGH, "float32") + (fraction - more))
        self.high.assign(self.high + ops.cast(carried, "float32"))


def ratio(part: Any, whole: Any) -> Any:
    """Divide counts, tensors of any shape; NaN where the whole is 0."""
    return ops.where(whole > 0, part / ops.where(whole > 0, whole, 1.0), float("nan"))
