"""The steps of one epoch, of a whole one or of what is left of one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

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
        broken: Whether a loss was not a number.
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
