"""Adam steps of one network, or of several on the same batches, with averaged weights (JAX)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras

from amseg_keras.losses import DicePlusFocal

CLIP_NORM = 1.0
WARM_UP = 0.02
CALIBRATION_BATCHES = 40

Batch = tuple[jax.Array, jax.Array]


class State(NamedTuple):
    """What a step changes; each of the lists has an entry for each network."""

    weights: list[list[jax.Array]]
    fixed: list[list[jax.Array]]
    first: Any
    second: Any
    averages: Any
    step: jax.Array


class Teacher(NamedTuple):
    """A trained network whose probabilities others learn."""

    model: keras.Model
    weights: list[jax.Array]
    fixed: list[jax.Array]


class Learner:
    """Networks that learn from the same batches, each for itself.

    Args:
        models: Their weights are the first.
        class_weights: Of the loss.
        averaging: Momentum of the averaged weights.
        teacher: Besides the labels, the networks learn the probabilities of this one.
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        class_weights: Sequence[float],
        averaging: float = 0.999,
        teacher: Teacher | None = None,
    ) -> None:
        self.models, self._averaging, self.teacher = list(models), averaging, teacher
        self._class_weights = tuple(class_weights)
        self._step = jax.jit(self._stepped)
        self._predict = jax.jit(self._probabilities)
        self.begin()

    def begin(self) -> None:
        """Start from the weights that the models hold."""
        weights = [[jnp.asarray(v.value) for v in m.trainable_variables] for m in self.models]
        fixed = [[jnp.asarray(v.value) for v in m.non_trainable_variables] for m in self.models]
        zeros = jax.tree.map(jnp.zeros_like, weights)
        self.state = State(weights, fixed, zeros, zeros, weights, jnp.int32(0))

    def learn(self, batch: Batch, height: float, progress: float) -> jax.Array:
        """One step; the losses `(models,)`.

        Args:
            batch: Images and labels.
            height: Learning rate that is risen to and fallen from along a cosine.
            progress: How much of the training is done, 0 to 1.
        """
        if progress < WARM_UP:
            rate = height * (0.1 + 0.9 * progress / WARM_UP)
        else:
            rate = height * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))
        self.state, losses = self._step(self.state, self._of_teacher, *batch, jnp.float32(rate))
        return losses

    def compile(self, batch: Batch) -> None:
        """Compile the step; nothing is learned."""
        jax.block_until_ready(self._step(self.state, self._of_teacher, *batch, jnp.float32(0)))

    def averaged(self, batches: Callable[[], Batch]) -> tuple[list[Any], list[Any]]:
        """Averaged weights of each network, and batch-norm statistics measured with them."""
        share = 1 - self._averaging ** float(self.state.step)
        averages = jax.tree.map(lambda a: a / share, self.state.averages)
        state = State(
            averages, _zeroed(self.models, self.state.fixed), *self.state[2:5], jnp.int32(0)
        )
        for _ in range(CALIBRATION_BATCHES):
            moved, _ = self._step(state, self._of_teacher, *batches(), jnp.float32(0))
            state = State(averages, moved.fixed, *state[2:])
        collected = 1 - 0.99**CALIBRATION_BATCHES
        return averages, _scaled(self.models, state.fixed, 1 / collected)

    def predict(self, weights: Any, fixed: Any, images: jax.Array) -> list[jax.Array]:
        """Class ids `(frames, height, width)` of each network."""
        return self._predict(weights, fixed, images)

    @property
    def _of_teacher(self) -> Any:
        return () if self.teacher is None else (self.teacher.weights, self.teacher.fixed)

    def _probabilities(self, weights: Any, fixed: Any, images: jax.Array) -> list[jax.Array]:
        found = [
            model.stateless_call(w, f, images, training=False)[0]
            for model, w, f in zip(self.models, weights, fixed, strict=True)
        ]
        return [jnp.argmax(probabilities, axis=-1) for probabilities in found]

    def _stepped(
        self, state: State, of_teacher: Any, images: jax.Array, labels: jax.Array, rate: jax.Array
    ) -> tuple[State, jax.Array]:
        known = None
        if self.teacher is not None:
            known = self.teacher.model.stateless_call(*of_teacher, images, training=False)[0]

        def objective(weights: Any) -> Any:
            losses, moved = [], []
            for model, w, f in zip(self.models, weights, state.fixed, strict=True):
                found, changed = model.stateless_call(w, f, images, training=True)
                loss = DicePlusFocal(self._class_weights)(labels, found)
                if known is not None:
                    loss = loss + _distance(known, found, self._class_weights)
                losses.append(loss)
                moved.append(changed)
            return sum(losses), (jnp.stack(losses), moved)

        gradients, (losses, fixed) = jax.grad(objective, has_aux=True)(state.weights)
        gradients = [_clipped(of_model) for of_model in gradients]
        step = state.step + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state.second, gradients)
        at = step.astype(jnp.float32)

        def moved(w: Any, m: Any, v: Any) -> Any:
            return w - rate * (m / (1 - 0.9**at)) / (jnp.sqrt(v / (1 - 0.999**at)) + 1e-7)

        weights = jax.tree.map(moved, state.weights, first, second)
        share = self._averaging
        # Begun at the first weights times nothing, as Adam's own averages are.
        before = jax.tree.map(lambda a: jnp.where(step == 1, 0 * a, a), state.averages)
        averages = jax.tree.map(lambda a, w: share * a + (1 - share) * w, before, weights)
        return State(weights, fixed, first, second, averages, step), losses


def _distance(known: jax.Array, found: jax.Array, class_weights: tuple[float, ...]) -> jax.Array:
    """Cross-entropy to a teacher's probabilities, rare classes weighted as in the loss."""
    weights = known @ jnp.array(class_weights)
    return jnp.mean(-weights * jnp.sum(known * jnp.log(found + 1e-7), axis=-1))


def _clipped(gradients: list[jax.Array]) -> list[jax.Array]:
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients))
    return [g * jnp.minimum(1.0, CLIP_NORM / (norm + 1e-12)) for g in gradients]


def _is_statistic(variable: keras.Variable) -> bool:
    return variable.path.endswith(("moving_mean", "moving_variance"))


def _scaled(models: list[keras.Model], fixed: Any, factor: float) -> list[list[jax.Array]]:
    return [
        [
            value * factor if _is_statistic(variable) else value
            for variable, value in zip(model.non_trainable_variables, values, strict=True)
        ]
        for model, values in zip(models, fixed, strict=True)
    ]


def _zeroed(models: list[keras.Model], fixed: Any) -> list[list[jax.Array]]:
    return _scaled(models, fixed, 0.0)
