"""Examples whose labels are softened by what a trained network says of the same frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from amseg_keras.backend import best_precision, forward_pass
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.feed.ahead import Batch
from amseg_keras.models.precision import in_precision
from amseg_keras.pretrained import PresetInfo
from amseg_keras.training.errors import TrainingError
from amseg_keras.training.feed.around import ExamplesAround
from amseg_keras.training.feed.examples import Examples


class DistilledExamples(ExamplesAround):
    """Examples for a small network that learns from a large one (Hinton et al. 2015).

    The target of a pixel is the mean of its label and of the teacher's probabilities, and those
    alone where nobody could tell the label. The teacher says more than the labels do: how sure one
    can be of a pixel.

    Args:
        examples: Frames and labels.
        teacher: A trained network.
        info: Its preset's.
        digest: SHA-256 of its weights, for the record of the run.

    Raises:
        TrainingError: The teacher has other classes, wants other grey levels, or takes a channel
            that the examples lack.
    """

    def __init__(
        self, examples: Examples, teacher: keras.Model, info: PresetInfo, digest: str
    ) -> None:
        if info.class_names != examples.class_names:
            raise TrainingError(
                f"the teacher {info.name} has the classes {', '.join(info.class_names)}, and the "
                f"data have {', '.join(examples.class_names)}"
            )
        if info.scaling != examples.scaling:
            raise TrainingError(
                f"the teacher {info.name} wants other grey levels than the training has; give "
                "--start-from a preset of the same grey levels"
            )
        lacking = [name for name in info.channels.names if name not in examples.channels.names]
        if lacking:
            raise TrainingError(
                f"the teacher {info.name} takes the channel {lacking[0]}, which the training has "
                f"not; give --channels {','.join(info.channels.names)}"
            )
        super().__init__(examples)
        self._places = [examples.channels.names.index(name) for name in info.channels.names]
        self._digest = digest
        self._probabilities = forward_pass(in_precision(teacher, best_precision()), training=False)
        self.trained_on = f"{examples.trained_on}; distilled from {info.name}"

    def describe(self) -> dict[str, Any]:
        return {**self.examples.describe(), "teacher": self._digest}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        return _Softened(self.examples.batches(epoch), self._ask)

    def _ask(self, images: np.ndarray) -> np.ndarray:
        """The teacher's probabilities, of the channels that it takes."""
        return self._probabilities(np.ascontiguousarray(images[..., self._places]))


class _Softened(keras.utils.PyDataset):
    def __init__(
        self, batches: keras.utils.PyDataset, probabilities: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__()
        self._batches, self._probabilities = batches, probabilities

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        images, labels = self._batches[index]
        return images, softened(labels, self._probabilities(images))


def softened(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The mean of labels and a teacher's probabilities; the latter alone where ignored.

    Args:
        labels: Class ids, `(batch, height, width)`.
        probabilities: `(batch, height, width, classes)`.

    Example:
        >>> softened(np.array([[[1, 255]]]), np.array([[[[0.4, 0.6], [0.3, 0.7]]]])).tolist()
        [[[[0.2, 0.8], [0.3, 0.7]]]]
    """
    truth = labels[..., None] == np.arange(probabilities.shape[-1])
    seen = labels[..., None] != IGNORE
    return np.where(seen, (truth + probabilities) / 2, probabilities).astype(probabilities.dtype)
