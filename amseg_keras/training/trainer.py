"""The trainer: one training from its first step to its last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from amseg_keras.backend import compile_options, forward_pass, is_out_of_memory
from amseg_keras.losses import DicePlusFocal
from amseg_keras.metrics.scores import confusion_matrix, f1_per_class, iou_per_class
from amseg_keras.segment.tiling import Predict, predict_any_size
from amseg_keras.training.examples import Examples, calibration_images
from amseg_keras.training.optimizer import (
    CALIBRATION_BATCHES,
    AveragedWeights,
    adam,
    cosine,
    epochs_without_gain,
    on_plateaus,
)
from amseg_keras.training.recipe import Phase, Progress, Recipe, TrainingError
from amseg_keras.training.run_folder import (
    EventLog,
    Position,
    RunFolder,
    load_checkpoint,
    read_position,
    save_checkpoint,
)

CHECKPOINT_SECONDS = 120.0

Report = Callable[[Progress], None]


class Trainer:
    """One training of one network.

    Args:
        model: The network, with the weights to start from.
        examples: Frames that it is trained and validated on.
        recipe: Recipe of the training.
        phases: Phases in their order; they replace the recipe's epochs and rate.
        run: Folder for checkpoints, tables and the best weights.
        report: Function called after each step.
    """

    def __init__(
        self,
        model: keras.Model,
        examples: Examples,
        recipe: Recipe,
        phases: Sequence[Phase],
        run: RunFolder,
        report: Report,
    ) -> None:
        self.model, self.examples, self.recipe = model, examples, recipe
        self.phases, self.run, self.report = phases, run, report
        self.position = Position()
        self._loss = DicePlusFocal(class_weights=examples.weights() if recipe.weighted else None)
        self._ends = [sum(p.epochs for p in phases[: n + 1]) for n in range(len(phases))]
        self._steps_of = [len(examples.batches(epoch)) for epoch in range(self._ends[-1])]
        self._seconds_per_step = self._seconds_per_epoch = 0.0
        self._began = self._saved = time.monotonic()

    def go(self) -> Position:
        """Train to the end, from the checkpoint where there is one.

        Raises:
            TrainingError: Out of memory, or a loss that is not a number.
        """
        resumed = self.run.checkpoint.exists()
        if resumed:
            self.position = read_position(self.run.checkpoint)
        self._began = time.monotonic() - self.position.seconds
        log = EventLog(self.run.folder / "tensorboard", self.position.history)
        with _clear_memory_errors(self.recipe, self.examples):
            for number in range(self.position.phase, len(self.phases)):
                self._prepare(number)
                if resumed:
                    load_checkpoint(self.run.checkpoint, self.model)
                    resumed = False
                self._train_phase(number, log)
                if number + 1 < len(self.phases):
                    self.position.phase = number + 1
                    self.position.epoch = self._ends[number]
        log.close()
        return self.position

    def expected_seconds(self) -> float:
        """Estimate the seconds of the whole training, from one measured step of each phase.

        The weights stay as they are.
        """
        seconds = 0.0
        for number, phase in enumerate(self.phases):
            step, validation = self._measure(number)
            first = self._ends[number] - phase.epochs
            steps = sum(self._steps_of[first : self._ends[number]])
            seconds += steps * step + phase.epochs * validation
        return seconds

    def _measure(self, number: int) -> tuple[float, float]:
        """Seconds for a step and for a validation."""
        kept = self.model.get_weights()
        with _clear_memory_errors(self.recipe, self.examples):
            self._prepare(number)
            images, labels = self.examples.batches(0)[0]
            self.model.train_on_batch(images, labels)
            began = time.monotonic()
            self.model.train_on_batch(images, labels)
            step = time.monotonic() - began
            began = time.monotonic()
            with self._averaged(calibration_images(self.examples, CALIBRATION_BATCHES)):
                self._validate()
            validation = time.monotonic() - began
        self.model.set_weights(kept)
        return step, validation

    def _prepare(self, number: int) -> None:
        phase = self.phases[number]
        for layer in self.model.layers:
            layer.trainable = not layer.name.startswith(phase.frozen) if phase.frozen else True
        if phase.frozen_norms:
            for layer in self.model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False
        rate: float | keras.optimizers.schedules.LearningRateSchedule = phase.learning_rate
        if self.recipe.annealing == "cosine":
            first = self._ends[number] - phase.epochs
            rate = cosine(rate, sum(self._steps_of[first : self._ends[number]]))
        optimizer = adam(rate, self.recipe)
        self.model.compile(optimizer=optimizer, loss=self._loss, **compile_options())
        self.model.optimizer.build(self.model.trainable_variables)
        self._averaged = AveragedWeights(self.model)
        self._predict = forward_pass(self.model, training=False)

    def _train_phase(self, number: int, log: EventLog) -> None:
        position, phase = self.position, self.phases[number]
        while position.epoch < self._ends[number]:
            loss = self._train_epoch()
            began = time.monotonic()
            row: dict[str, Any] = {
                "epoch": position.epoch,
                "phase": number,
                "step": position.steps,
                "minutes": round((time.monotonic() - self._began) / 60, 3),
                "learning_rate": self._rate(),
                "loss": loss,
            }
            with self._averaged(calibration_images(self.examples, CALIBRATION_BATCHES)):
                row |= self._validate()
                position.history.append(row)
                if epochs_without_gain(self._scores()) == 0:
                    self.run.save_best(self.model)
            self._seconds_per_epoch = time.monotonic() - began
            # What validation took is no part of the next step.
            position.seconds = time.monotonic() - self._began
            position.next_epoch()
            log.write(row)
            self._tell(loss, row)
            of_phase = self._scores(number)
            if self.recipe.annealing == "plateau":
                patience = max(1, self.recipe.patience // 3)
                self.model.optimizer.learning_rate = on_plateaus(
                    phase.learning_rate, of_phase, patience
                )
            ends = epochs_without_gain(of_phase) >= self.recipe.patience
            if ends:
                position.epoch = self._ends[number]
            self._save(at_once=position.epoch == self._ends[number])

    def _train_epoch(self) -> float:
        """Train what is left of the epoch; mean loss of all its steps."""
        position = self.position
        batches = self.examples.batches(position.epoch)
        left = FromStep(batches, position.step)
        self._each = EachStep(left.sizes, self._after_step)
        if len(left):
            self.model.fit(left, shuffle=False, verbose=0, callbacks=[self._each])
        if self._each.broken:
            raise TrainingError(
                f"{self.run.folder}: the loss became NaN in epoch {position.epoch + 1}; lower the "
                "learning rate, or train in float32, and look at the labels with: amseg dataset "
                "validate"
            )
        return position.loss_sum / max(position.frames, 1)

    def _after_step(self, loss: float, frames: int) -> None:
        position = self.position
        position.step += 1
        position.steps += 1
        position.frames += frames
        position.loss_sum += loss * frames
        now = time.monotonic() - self._began
        if position.seconds and now > position.seconds:
            passed = now - position.seconds
            # The first step compiles; later ones say what a step takes.
            before = self._seconds_per_step or passed
            self._seconds_per_step = 0.9 * min(before, 5 * passed) + 0.1 * passed
        position.seconds = now
        self._save()
        self._tell(loss)

    def validate_now(self) -> dict[str, float]:
        """Score the present weights on the validation frames, as in `validate`."""
        return self._validated(forward_pass(self.model, training=False))

    def _validate(self) -> dict[str, float]:
        return self._validated(self._predict)

    def _validated(self, predict: Predict) -> dict[str, float]:
        return validate(predict, self.examples.validation(), self.examples.class_names, self._loss)

    def _save(self, at_once: bool = False) -> None:
        if at_once or time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self.position.seconds = time.monotonic() - self._began
            self._each.synchronise()
            save_checkpoint(self.run.checkpoint, self.model, self.position)
            if self.position.history:
                self.run.write_history(self.position.history)
            self._saved = time.monotonic()

    def _scores(self, phase: int | None = None) -> list[float]:
        return [
            row["score"] if math.isfinite(row["score"]) else -1.0
            for row in self.position.history
            if phase in (None, row["phase"])
        ]

    def _rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def _tell(self, loss: float, row: dict[str, float] | None = None) -> None:
        position = self.position
        left = sum(self._steps_of[position.epoch :]) - position.step
        epochs_left = self._ends[-1] - position.epoch
        seconds = left * self._seconds_per_step + epochs_left * self._seconds_per_epoch
        self.report(
            Progress(
                position.epoch,
                self._ends[-1],
                position.steps,
                position.steps + left,
                loss,
                seconds if self._seconds_per_step else None,
                row,
            )
        )


@contextmanager
def _clear_memory_errors(recipe: Recipe, examples: Examples) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        shape = examples.batches(0)[0][0].shape
        raise TrainingError(
            f"a batch of {shape[0]} frames of {shape[1]} x {shape[2]} pixels does not fit into "
            f"the memory; give --batch-size {max(1, recipe.batch_size // 2)}, or a smaller --shape"
        ) from error


Batch = tuple[np.ndarray, np.ndarray]


class FromStep(keras.utils.PyDataset):
    """The batches of an epoch from a step on."""

    def __init__(self, batches: keras.utils.PyDataset, first: int) -> None:
        super().__init__()
        self._batches, self._first = batches, first
        self.sizes: dict[int, int] = {}
        """Frames of the batches that were asked for."""

    def __len__(self) -> int:
        return len(self._batches) - self._first

    def __getitem__(self, index: int) -> Batch:
        images, labels = self._batches[self._first + index]
        self.sizes[index] = len(images)
        return images, labels


class EachStep(keras.callbacks.Callback):
    """Tells after each step how it went, and ends the epoch when a loss is not a number.

    Args:
        sizes: Frames of each batch.
        after: Called with the loss of each step and the frames of its batch.

    Attributes:
        broken: True if a loss was not a number.
    """

    def __init__(self, sizes: Mapping[int, int], after: Callable[[float, int], None]) -> None:
        super().__init__()
        self.broken = False
        self._sizes = sizes
        self._after = after
        self._sum, self._frames = 0.0, 0

    def synchronise(self) -> None:
        """Put the state of the training into the network's variables.

        On JAX it is kept outside of them between steps, until a callback asks for its network.
        """
        _ = self.model

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Keras gives the mean over the frames so far.
        mean = float((logs or {})["loss"])
        if not math.isfinite(mean):
            self.broken = True
            self.model.stop_training = True
            return
        size = self._sizes[batch]
        self._frames += size
        loss = (mean * self._frames - self._sum) / size
        self._sum = mean * self._frames
        self._after(loss, size)


def validate(
    predict: Predict,
    frames: Iterable[tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    loss: keras.losses.Loss,
) -> dict[str, Any]:
    """Segment whole frames and compare with their labels.

    Args:
        predict: The network.
        frames: Input `(height, width, channels)` and class ids `(height, width)`, of any size.
        class_names: Classes in the order of their ids.
        loss: Loss that the training minimises.

    Returns:
        `val_loss` (mean over frames), `mean_iou`, `mean_f1`, and `iou_<class>` for each class, over
        all pixels of all frames; NaN for a class that is neither there nor found. `score` decides
        which epoch is the best: the mean IoU, less for classes that the network invents (see
        `score_of`).
    """
    count = len(class_names)
    matrix = np.zeros((count, count), np.int64)
    losses = []
    for image, labels in frames:
        probabilities = predict_any_size(predict, image[None])
        matrix += confusion_matrix(labels, probabilities[0].argmax(-1), count)
        truth = labels[None].astype(np.int32)
        # Not `loss(...)`, which Keras divides by the number of devices that share a batch.
        value = loss.call(truth, keras.ops.convert_to_tensor(probabilities, "float32"))
        losses.append(float(keras.ops.convert_to_numpy(value).mean()))
    iou, f1 = iou_per_class(matrix), f1_per_class(matrix)
    # Only classes that the labels have: a class that is found where there is none is an error of
    # those that are there.
    there = matrix.sum(axis=1) > 0
    return {
        "val_loss": float(np.mean(losses)),
        "mean_iou": float(np.mean(iou[there])) if there.any() else float("nan"),
        "mean_f1": float(np.mean(f1[there])) if there.any() else float("nan"),
        "score": score_of(matrix),
        **{f"iou_{name}": float(value) for name, value in zip(class_names, iou, strict=True)},
    }


def score_of(matrix: np.ndarray) -> float:
    """Score a confusion matrix: the mean IoU of labelled classes, less for invented ones.

    An invented class, which no label has, costs as much as a lost class where the network gives it
    as many pixels as the smallest class of the labels has, and less in proportion.

    Args:
        matrix: Pixels of each labelled class by what they were found as, `(classes, classes)`.

    Returns:
        Score, 1 at best; NaN without any label.

    Example:
        Of three classes, the labels have two. All pixels are right but for 5 of the third class:

        >>> score_of(np.array([[985, 0, 5], [0, 10, 0], [0, 0, 0]])) < 0.84
        True
    """
    labelled, found = matrix.sum(axis=1), matrix.sum(axis=0)
    there = labelled > 0
    if not there.any():
        return float("nan")
    invented = np.minimum(found[~there] / labelled[there].min(), 1.0)
    return float(iou_per_class(matrix)[there].mean() - invented.sum() / len(matrix))
