"""Learning rate, loss, training step, and averaged weights with statistics that fit them."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import tensorflow as tf

from amseg_keras.classes import CLASS_NAMES, IGNORE
from training.stream import FRAME, FRAMES, stretched_frame

CLASSES = len(CLASS_NAMES)
PEAK_RATE, WARM_UP = 6e-4, 0.03
CLASS_WEIGHTS = (0.7, 1.2, 0.7, 4.0, 3.0)
FOCUS = 1.0
"""Exponent of the focal factor (1 - p)."""
CALIBRATION_SEED = 977_002


def learning_rate(progress: float) -> float:
    """Linear warm-up, then a cosine to zero, over the share of the budget that is used."""
    if progress < WARM_UP:
        return PEAK_RATE * max(progress / WARM_UP, 0.02)
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def segmentation_loss(labels, probabilities):
    """Weighted focal cross-entropy plus Dice in float32; pixels labelled ignore count nothing."""
    seen = tf.cast(labels != IGNORE, tf.float32)
    truth = tf.one_hot(tf.where(labels == IGNORE, tf.zeros_like(labels), labels), CLASSES)
    truth *= seen[..., None]
    p = tf.clip_by_value(tf.cast(probabilities, tf.float32), 1e-6, 1.0)
    weights = tf.constant(CLASS_WEIGHTS)
    of_truth = tf.reduce_sum(truth * p, axis=-1)
    weight = tf.reduce_sum(truth * weights, axis=-1)
    focal = weight * (1 - of_truth) ** FOCUS * -tf.math.log(tf.where(seen > 0, of_truth, 1.0))
    # Twice: the focal factor roughly halves the cross-entropy.
    cross_entropy = 2 * tf.reduce_sum(focal) / tf.maximum(tf.reduce_sum(seen), 1.0)
    p *= seen[..., None]
    overlap = tf.reduce_sum(truth * p, axis=(0, 1, 2))
    total = tf.reduce_sum(truth + p, axis=(0, 1, 2))
    # The constant keeps a class absent from the batch from ruling the gradient.
    dice = 1 - (2 * overlap + 100.0) / (total + 100.0)
    return cross_entropy + tf.reduce_mean(dice)


def make_trainer(model, optimizer):
    """A compiled step: images, labels -> loss."""

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 1), tf.float32),
            tf.TensorSpec((None, None, None), tf.uint8),
        ]
    )
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = segmentation_loss(tf.cast(labels, tf.int32), model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def class_iou(predict, pairs) -> list[float]:
    """IoU of each class from one confusion matrix over all frames."""
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    for image, labels in pairs:
        found = np.argmax(np.asarray(predict(image[None]))[0], axis=-1)
        seen = labels != IGNORE
        index = labels[seen].astype(np.int64) * CLASSES + found[seen]
        confusion += np.bincount(index, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    hit = np.diag(confusion)
    return (hit / np.maximum(confusion.sum(0) + confusion.sum(1) - hit, 1)).tolist()


class AveragedWeights:
    """The model with its averaged weights for a while: `with averaged(batches): ...`.

    The batch norms' running statistics follow the raw weights of the last hundred steps,
    not the averaged ones, and a deep network multiplies the difference. So they are
    measured afresh on whole frames, and given back with the raw weights afterwards.
    """

    def __init__(self, model, optimizer) -> None:
        self.model, self._optimizer = model, optimizer
        self._statistics = [v for v in model.non_trainable_variables if "moving_" in v.path]
        self._momentum = 0.99
        self._pass = tf.function(
            lambda x: model(x, training=True),
            input_signature=[tf.TensorSpec((FRAMES, *FRAME, 1), tf.float32)],
        )

    @contextlib.contextmanager
    def __call__(self, batches: int):
        """Averaged weights, their statistics measured on so many batches, within a `with`."""
        kept = [v.numpy() for v in self.model.variables]
        self._optimizer.finalize_variable_values(self.model.trainable_variables)
        for variable in self._statistics:
            variable.assign(np.zeros(variable.shape, np.float32))
        for batch in range(batches):
            numbers = range(batch * FRAMES, (batch + 1) * FRAMES)
            self._pass(np.stack([stretched_frame(CALIBRATION_SEED, n)[0] for n in numbers]))
        # Running means that began at zero have collected this share of the full weight.
        collected = 1 - self._momentum**batches
        for variable in self._statistics:
            variable.assign(variable.numpy() / collected)
        try:
            yield
        finally:
            for variable, raw in zip(self.model.variables, kept, strict=True):
                variable.assign(raw)
