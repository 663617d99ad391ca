"""The optimizer of a training: when the learning rate falls, and averages of the weights.

The rate and the end of a training follow from the epochs so far alone. Nothing is remembered
between epochs, so a resumed training decides as one that was not interrupted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from amseg_keras.backend import forward_pass
from amseg_keras.training.recipe import Recipe

WARM_UP = 0.02
"""Share of the steps in which the rate rises to its height."""

FACTOR = 0.5
"""By which a rate is lowered on a plateau."""


def cosine(height: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Make a rate that rises for `WARM_UP` of the steps and falls to 0 along a cosine.

    Example:
        >>> rate = cosine(1e-3, 100)
        >>> [round(1e3 * float(rate(step)), 2) for step in (0, 2, 51, 100)]
        [0.1, 1.0, 0.5, 0.0]
    """
    rise = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.1 * height,
        decay_steps=max(1, steps - rise),
        warmup_target=height,
        warmup_steps=rise,
    )


def on_plateaus(height: float, scores: Sequence[float], patience: int) -> float:
    """Return the rate after epochs with these scores, halved after `patience` epochs without gain.

    Example:
        >>> on_plateaus(1e-3, [0.5, 0.6, 0.6, 0.59], patience=2)
        0.0005
    """
    best, waited, rate = float("-inf"), 0, height
    for score in scores:
        if score > best:
            best, waited = score, 0
        else:
            waited += 1
        if waited == patience:
            rate, waited = rate * FACTOR, 0
    return rate


def epochs_without_gain(scores: Sequence[float]) -> int:
    """Count the epochs since the best score.

    Example:
        >>> epochs_without_gain([0.2, 0.7, 0.6, 0.7])
        2
    """
    if not scores:
        return 0
    return len(scores) - 1 - max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))


CALIBRATION_BATCHES = 10


@keras.saving.register_keras_serializable("amseg_keras")
class AveragingAdam(keras.optimizers.Adam):
    """Adam whose average of the weights is put into the network only when asked for.

    Keras puts it there at the end of `fit`, which would end the training after its first epoch.
    """

    def finalize_variable_values(self, var_list: Any) -> None:
        pass

    def put_averages(self, variables: list[keras.Variable]) -> None:
        """Give the variables the average of their values."""
        super().finalize_variable_values(variables)


def adam(
    rate: float | keras.optimizers.schedules.LearningRateSchedule, recipe: Recipe
) -> AveragingAdam:
    """Make the optimizer of a recipe, with a constant rate or a schedule."""
    return AveragingAdam(
        rate,
        global_clipnorm=recipe.clip_norm,
        use_ema=recipe.averaging > 0,
        ema_momentum=recipe.averaging or 0.99,
    )


class AveragedWeights:
    """The network with its averaged weights for a while: `with averaged(images): ...`.

    The running statistics of the batch norms follow the raw weights of the last hundred steps,
    not the averaged ones, and a deep network multiplies the difference. So they are measured
    afresh on training images, and given back with the raw weights afterwards.

    Args:
        model: Compiled with an `AveragingAdam`; with one that does not average, the weights are
            left as they are.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        # Loss scaling wraps the optimizer that has the averages.
        self._optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._norms = trainable_norms(model)
        self._measure = forward_pass(model, training=True)

    @contextlib.contextmanager
    def __call__(self, images: Iterable[np.ndarray]) -> Iterator[None]:
        """Averaged weights within a `with`.

        Args:
            images: Batches to measure statistics on, float32 `(batch, height, width, channels)`.
        """
        steps = int(keras.ops.convert_to_numpy(self._optimizer.iterations))
        if not self._optimizer.use_ema or not steps:
            yield
            return
        kept = [keras.ops.convert_to_numpy(v) for v in self._model.variables]
        try:
            self._optimizer.put_averages(self._model.trainable_variables)
            _measure(self._norms, self._measure, images)
            yield
        finally:
            for variable, raw in zip(self._model.variables, kept, strict=True):
                variable.assign(raw)


def trainable_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the batch norms whose statistics a training changes."""
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def measure_statistics(model: keras.Model, images: Iterable[np.ndarray]) -> None:
    """Set the running statistics of all batch norms from some images.

    Args:
        model: Its weights stay as they are.
        images: Batches, float32 `(batch, height, width, channels)`.
    """
    _measure(trainable_norms(model), forward_pass(model, training=True), images)


def _measure(
    norms: list[keras.layers.BatchNormalization],
    run: Callable[[np.ndarray], np.ndarray],
    images: Iterable[np.ndarray],
) -> None:
    if not norms:
        return
    statistics = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    for variable in statistics:
        variable.assign(np.zeros(variable.shape, np.float32))
    batches = 0
    for batch in images:
        run(batch)
        batches += 1
    # Running means that began at zero have collected this share of the full weight.
    collected = 1 - norms[0].momentum ** batches
    for variable in statistics:
        variable.assign(keras.ops.convert_to_numpy(variable) / collected)
