"""What the losses share: labels in all their forms, ignored pixels, class weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class SegmentationLoss(keras.losses.Loss):
    """Base of the losses: one value for all seen pixels of a batch, calculated in float32.

    A subclass says in `of_pixels` what the value is.

    Args:
        class_weights: What each class counts, none below 0; None: all alike.
        ignore: Class id of pixels that have no part in the loss; None: all have.
        from_logits: The network ends before its softmax.
        name: Of the loss.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None,
        ignore: int | None,
        from_logits: bool,
        name: str,
    ) -> None:
        # Not in Keras' default type, which may be set to float16: a sum over a batch of pixels
        # would overflow.
        super().__init__(name=name, dtype="float32")
        if class_weights is not None:
            class_weights = [float(weight) for weight in class_weights]
            if min(class_weights, default=0.0) < 0 or not sum(class_weights) > 0:
                raise ValueError(
                    f"class_weights {class_weights}: none may be below 0, and one must be above"
                )
        self.class_weights = class_weights
        self.ignore = ignore
        self.from_logits = from_logits

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is not None:
            raise ValueError(
                f"{self.name} takes no sample_weight (nor `class_weight` of `fit`): weigh classes "
                f"with class_weights={self.class_weights}, leave pixels out with the label "
                f"{self.ignore}"
            )
        return super().__call__(y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        predicted = ops.cast(y_pred, "float32")
        classes = predicted.shape[-1]
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ValueError(
                f"{self.name} has {len(self.class_weights)} class_weights for {classes} classes"
            )
        truth, seen = self._truth(y_true, classes)
        # Before any function is applied, so that not even the gradient of a value that is not
        # finite comes through from an ignored pixel.
        predicted = ops.where(seen > 0, predicted, 1.0 / classes)
        # Keras does not divide a scalar among the replicas of a tf.distribute strategy, but it
        # does so with the mean of a vector.
        return ops.reshape(self.of_pixels(truth, seen, predicted), (1,))

    def _truth(self, y_true: Any, classes: int) -> tuple[Any, Any]:
        """One-hot labels `(batch, height, width, classes)` and whether a pixel is seen, `(.., 1)`.

        Both float32; an ignored pixel is 0 in both.
        """
        shape = tuple(y_true.shape)
        if len(shape) == 4 and shape[-1] == classes and classes > 1:
            truth = ops.cast(y_true, "float32")
            return truth, ops.cast(ops.any(truth > 0, axis=-1, keepdims=True), "float32")
        if len(shape) == 4 and shape[-1] != 1:
            raise ValueError(f"labels {shape} are neither ids nor one-hot of {classes} classes")
        ids = ops.cast(y_true, "int32")
        ids = ids if len(shape) == 4 else ops.expand_dims(ids, -1)
        # By comparison: `ops.one_hot` raises an error on PyTorch for the id of ignored pixels.
        truth = ops.cast(ids == ops.arange(classes, dtype="int32"), "float32")
        if self.ignore is None:
            return truth, ops.ones_like(truth[..., :1])
        seen = ops.cast(ids != self.ignore, "float32")
        return truth * seen, seen

    def of_pixels(self, truth: Any, seen: Any, predicted: Any) -> Any:
        """The loss, a scalar.

        Args:
            truth: One-hot labels, `(batch, height, width, classes)`, 0 where ignored.
            seen: 1, and 0 where ignored, `(batch, height, width, 1)`.
            predicted: Probabilities or logits, of the shape of `truth`, all equal where ignored.
        """
        raise NotImplementedError

    def weights(self, classes: int) -> Any:
        """The class weights as a tensor, `(classes,)`."""
        return ops.convert_to_tensor(self.class_weights or [1.0] * classes, "float32")

    def get_config(self) -> dict[str, Any]:
        return {
            "class_weights": self.class_weights,
            "ignore": self.ignore,
            "from_logits": self.from_logits,
            "name": self.name,
        }
