"""Dice, categorical focal and their sum, over all pixels of a batch that are not ignored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.sample_weights import pixel_weights

_TINY = 1e-7
_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


class SegmentationLoss(keras.losses.Loss):
    """Base class of the losses: labels in all their forms, ignored pixels, and weights.

    A subclass says in `of_pixels` what the value is.

    Args:
        class_weights: Weight of each class, 0 or more; None weights all classes alike.
        ignore_class: Class id of pixels that have no part in the loss; None gives all a part.
        from_logits: True if the network ends before its softmax.
        name: Name of the loss.
        reduction: Reduction of the loss, as every Keras loss has it.
        dtype: Keras dtype in which the loss is calculated.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None,
        ignore_class: int | None,
        from_logits: bool,
        name: str,
        reduction: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if class_weights is not None:
            class_weights = [float(weight) for weight in class_weights]
            if min(class_weights, default=0.0) < 0 or not sum(class_weights) > 0:
                raise ValueError(
                    f"class_weights {class_weights}: none may be below 0, and one must be above"
                )
        self.class_weights = class_weights
        self.ignore_class = ignore_class
        self.from_logits = from_logits

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        # Weights are a part of the truth here: they weight pixels before anything is summed.
        truth = y_true if sample_weight is None else (y_true, sample_weight)
        return super().__call__(truth, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, weights = y_true if isinstance(y_true, tuple | list) else (y_true, None)
        classes = y_pred.shape[-1]
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ValueError(
                f"{self.name} has {len(self.class_weights)} class_weights for {classes} classes"
            )
        truth, seen = self._truth(y_true, classes)
        # Before any function is applied, so that not even the gradient of a value that is not
        # finite comes through from an ignored pixel.
        predicted = ops.where(seen > 0, y_pred, ops.cast(1.0 / classes, self.dtype))
        value = self.of_pixels(truth, seen, predicted, self._weights(weights, seen))
        # Keras does not divide a scalar among the replicas of a tf.distribute strategy, but it
        # does so with the mean of a vector.
        return value if len(value.shape) else ops.reshape(value, (1,))

    def _truth(self, y_true: Any, classes: int) -> tuple[Any, Any]:
        """Return one-hot labels `(batch, height, width, classes)` and 1 where seen, `(.., 1)`.

        An ignored pixel is 0 in both.
        """
        shape = tuple(y_true.shape)
        if len(shape) == 4 and shape[-1] == classes and classes > 1:
            truth = ops.cast(y_true, self.dtype)
            return truth, ops.cast(ops.any(truth > 0, axis=-1, keepdims=True), self.dtype)
        if len(shape) == 4 and shape[-1] != 1:
            raise ValueError(f"labels {shape} are neither ids nor one-hot of {classes} classes")
        ids = ops.cast(y_true, "int32")
        ids = ids if len(shape) == 4 else ops.expand_dims(ids, -1)
        # By comparison: `ops.one_hot` raises an error on PyTorch for the id of ignored pixels.
        truth = ops.cast(ids == ops.arange(classes, dtype="int32"), self.dtype)
        if self.ignore_class is None:
            return truth, ops.ones_like(truth[..., :1])
        seen = ops.cast(ids != self.ignore_class, self.dtype)
        return truth * seen, seen

    def _weights(self, weights: Any, seen: Any) -> Any:
        """Return the weight of each pixel, of the shape of `seen`, 0 if ignored."""
        if weights is None:
            return seen
        shaped = pixel_weights(weights, tuple(seen.shape[:3]), self.name)
        return seen * ops.cast(ops.expand_dims(shaped, -1), self.dtype)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any, weights: Any) -> Any:
        """Calculate the loss, a scalar, or the loss of each pixel.

        Args:
            truth: One-hot labels, `(batch, height, width, classes)`, 0 where ignored.
            seen: 1, and 0 where ignored, `(batch, height, width, 1)`.
            predicted: Probabilities or logits, of the shape of `truth`, all equal where ignored.
            weights: Weight of each pixel, of the shape of `seen`, 0 where ignored.
        """
        raise NotImplementedError

    def of_classes(self, classes: int) -> Any:
        """Return the class weights as a tensor, `(classes,)`."""
        return ops.convert_to_tensor(self.class_weights or [1.0] * classes, self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_weights": self.class_weights,
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable("amseg_keras")
class Dice(SegmentationLoss):
    """Dice loss over all pixels of a batch: a small class counts as much as a large one.

    For each class `1 - (2 sum(w t p) + s) / (sum(w t) + sum(w p) + s)`, with the truth t, 0 or 1,
    the probability p, the weight w of a pixel, sums over all seen pixels of the batch (not of each
    frame) and `s = smooth * sum(w)`; then the mean over the classes with their weights. One part
    of the paper's loss (section 3.1).

    Every class counts, one that is absent from a batch too: its term is what is wrongly called
    that class, `1 - s / (sum(w p) + s)`.

    Args:
        class_weights: Weight of each class in the mean; None weights all classes alike.
        ignore_class: Class id of pixels that have no part in the loss; None gives all a part.
        from_logits: True if the network ends before its softmax.
        smooth: Smoothing constant, as a fraction of the seen pixels, above 0.
        name: Name of the loss.
        reduction: Reduction of the loss, as every Keras loss has it. There is one value for a
            batch, so that sum and mean are the same; None gives it as a vector of length 1.
        dtype: Keras dtype in which the loss is calculated. In float16 a sum over the pixels of a
            batch would overflow.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`, or one-hot
            `(batch, height, width, classes)`, of any type; a one-hot pixel that is all 0 is
            ignored. y_pred: `(batch, height, width, classes)`, any float type. sample_weight:
            `(batch,)` or `(batch, height, width)`; a pixel of weight 0 is ignored. The loss is a
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
        ignore_class: int | None = IGNORE,
        from_logits: bool = False,
        smooth: float = 1e-4,
        name: str = "dice",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(class_weights, ignore_class, from_logits, name, reduction, dtype)
        if not smooth > 0:
            raise ValueError(f"smooth {smooth} must be above 0")
        self.smooth = float(smooth)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any, weights: Any) -> Any:
        probability = ops.softmax(predicted) if self.from_logits else predicted
        pixels = (0, 1, 2)
        true = ops.sum(truth * weights, axis=pixels)
        overlap = ops.sum(truth * probability * weights, axis=pixels)
        total = true + ops.sum(probability * weights, axis=pixels)
        smooth = self.smooth * _above_0(ops.sum(weights))
        dice = (2.0 * overlap + smooth) / (total + smooth)
        of_classes = self.of_classes(truth.shape[-1])
        return ops.sum(of_classes * (1.0 - dice)) / ops.sum(of_classes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smooth": self.smooth}


@keras.saving.register_keras_serializable("amseg_keras")
class CategoricalFocal(SegmentationLoss):
    """Categorical focal loss (Lin et al. 2017), the mean over all seen pixels of a batch.

    For each pixel `-w (1 - p)^gamma log(p)`, with the probability p and the weight w of its true
    class. One part of the paper's loss (section 3.1).

    Args:
        class_weights: Weight of a pixel of each class; None weights all alike. The sum is divided
            by the number of pixels, not by the sum of these weights.
        ignore_class: Class id of pixels that have no part in the loss; None gives all a part.
        from_logits: True if the network ends before its softmax; logits are more exact where the
            network is very wrong.
        gamma: Focus on wrong pixels, 0 or more; 0 is cross-entropy.
        name: Name of the loss.
        reduction: Reduction over the seen pixels, as every Keras loss has it: with
            `"mean_with_sample_weight"` the sum is divided by the sum of `sample_weight`; None
            gives the loss of each pixel, 0 where ignored, `(batch, height, width)`.
        dtype: Keras dtype in which the loss is calculated. In float16 a sum over the pixels of a
            batch would overflow.

    Shapes:
        The same as for `Dice`.

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
        ignore_class: int | None = IGNORE,
        from_logits: bool = False,
        gamma: float = 2.0,
        name: str = "categorical_focal",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(class_weights, ignore_class, from_logits, name, reduction, dtype)
        if not gamma >= 0:
            raise ValueError(f"gamma {gamma} must be 0 or more")
        self.gamma = float(gamma)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any, weights: Any) -> Any:
        if self.from_logits:
            log = ops.log_softmax(predicted)
            probability = ops.exp(log)
        else:
            # Not clipped, as Keras' own is: a pixel that is as wrong as can be would get no
            # gradient.
            log = ops.log(predicted + _TINY)
            probability = predicted
        entropy = -self.of_classes(truth.shape[-1]) * truth * log
        if self.gamma:
            # Away from 0, where the gradient is infinite for a gamma below 1, and from the
            # rounding below it.
            entropy = entropy * ops.power(ops.maximum(1.0 - probability, _TINY), self.gamma)
        losses = ops.sum(entropy, axis=-1) * weights[..., 0]
        if self.reduction not in _MEANS:
            return ops.sum(losses) if self.reduction == "sum" else losses
        counted = weights if self.reduction == "mean_with_sample_weight" else seen
        return ops.sum(losses) / _above_0(ops.sum(counted))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable("amseg_keras")
class DicePlusFocal(SegmentationLoss):
    """The sum of `Dice` and `CategoricalFocal`, the loss of the paper (section 3.1).

    Dice sees to the classes of few pixels, focal to single pixels that are wrong.

    Args:
        class_weights: Class weights of both losses; None weights all classes alike.
        ignore_class: Class id of pixels that have no part in the loss; None gives all a part.
        from_logits: True if the network ends before its softmax.
        gamma: Focus of `CategoricalFocal` on wrong pixels.
        smooth: Smoothing constant of `Dice`.
        name: Name of the loss.
        reduction: Reduction of the loss, as in `Dice`: there is one value for a batch, with the
            mean of the focal loss.
        dtype: Keras dtype in which the loss is calculated.

    Shapes:
        The same as for `Dice`.

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
        ignore_class: int | None = IGNORE,
        from_logits: bool = False,
        gamma: float = 2.0,
        smooth: float = 1e-4,
        name: str = "dice_plus_focal",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(class_weights, ignore_class, from_logits, name, reduction, dtype)
        shared = {"ignore_class": ignore_class, "from_logits": from_logits, "dtype": dtype}
        mean = reduction if reduction in _MEANS else _MEANS[0]
        self.dice = Dice(class_weights, smooth=smooth, **shared)
        self.focal = CategoricalFocal(class_weights, gamma=gamma, reduction=mean, **shared)

    def of_pixels(self, truth: Any, seen: Any, predicted: Any, weights: Any) -> Any:
        dice = self.dice.of_pixels(truth, seen, predicted, weights)
        return dice + self.focal.of_pixels(truth, seen, predicted, weights)

    def get_config(self) -> dict[str, Any]:
        own = {"gamma": self.focal.gamma, "smooth": self.dice.smooth}
        return {**super().get_config(), **own}


def _above_0(total: Any) -> Any:
    """Replace sums of 0 by 1, to divide by them."""
    return ops.where(total > 0, total, ops.ones_like(total))
