"""Examples that are those of others but for one thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.training.feed.examples import Examples


class ExamplesAround:
    """Other examples as they are; a subclass changes what it is for.

    Args:
        examples: The others.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.trained_on = examples.trained_on

    @property
    def scaling(self) -> GreyScaling:
        return self.examples.scaling

    @property
    def channels(self) -> Channels:
        return self.examples.channels

    @property
    def pixel_size_um(self) -> float | None:
        return self.examples.pixel_size_um

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.examples.class_names

    def describe(self) -> dict[str, Any]:
        return self.examples.describe()

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        return self.examples.batches(epoch)

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return self.examples.validation()

    def weights(self) -> list[float]:
        return self.examples.weights()

    def close(self) -> None:
        self.examples.close()
