"""Examples for training and validation, and the examples of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import keras
import numpy as np

from amseg_keras.datasets import BatchOptions, Dataset, batches
from amseg_keras.datasets.frames import ScaledFrames, without_background
from amseg_keras.datasets.statistics import class_weights, count_pixels
from amseg_keras.outputs import input_content
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.read import ReadError
from amseg_keras.training.recipe import Recipe

MOST_WEIGHT = 5.0
"""Heaviest class in units of the lightest."""


class Examples(Protocol):
    """Labelled frames for a training; what comes out depends on the seed and the epoch alone."""

    trained_on: str
    """One sentence for the model card."""

    @property
    def scaling(self) -> GreyScaling:
        """How the network wants its grey levels."""
        ...

    @property
    def channels(self) -> Channels:
        """Input channels of the network."""
        ...

    @property
    def pixel_size_um(self) -> float | None:
        """Size of a pixel in the frames, in um, where it is known."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the network's ids."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what identifies these examples, for the record of the run."""
        ...

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        """Images and labels of an epoch, in order."""
        ...

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Input `(height, width, channels)` and class ids, which are not trained on."""
        ...

    def weights(self) -> list[float]:
        """Weight of each class in the loss."""
        ...

    def close(self) -> None:
        """Give back what making examples holds: processes and files."""
        ...


def calibration_images(examples: Examples, count: int) -> Iterator[np.ndarray]:
    """Images to measure the statistics of batch norms on: always the same training batches."""
    first = examples.batches(0)
    return (first[index][0] for index in islice(range(len(first)), count))


@dataclass(frozen=True)
class DatasetSource:
    """A data set and how a network wants it.

    Attributes:
        data: The data set.
        class_names: Classes of the network in the order of its ids; None for the data set's own.
        scaling: Grey levels of the network.
    """

    data: Dataset
    class_names: tuple[str, ...] | None
    scaling: GreyScaling


class DatasetExamples:
    """The training and validation frames of a data set.

    Args:
        data: With labelled frames in the splits "train" and "validation".
        recipe: Batch size, shape, augmentation, seed.
        class_names: Classes of the network in the order of its ids; defaults to the data set's.
        scaling: Grey levels of the network.

    Raises:
        ReadError: A split is empty, or frames have no labels.
        ValueError: The network lacks a class of the data set.
    """

    def __init__(
        self,
        data: Dataset,
        recipe: Recipe,
        class_names: tuple[str, ...] | None = None,
        scaling: GreyScaling | None = None,
    ) -> None:
        self._class_names = class_names or data.class_names
        self.scaling = scaling or GreyScaling()
        self.channels = Channels(recipe.channels)
        self.pixel_size_um = data.pixel_size_um
        origin = data.origin.rstrip(".")
        self.trained_on = f"the data set {data.folder.name}" + (f": {origin}" if origin else "")
        learned = data.of_split("train").frames
        if self.channels.has_motion and (blank := without_background(data, learned)):
            self.trained_on += (
                f" (motion blank in {blank} of {len(learned)} frames, whose sequences have no "
                "background)"
            )
        self._data = data
        self._recipe = recipe
        options = BatchOptions(
            shape=recipe.shape,
            classes=self.class_names,
            scaling=self.scaling,
            channels=self.channels,
            blank=recipe.blank,
            focus=recipe.focus,
            repeat=recipe.repeat,
        )
        self._batches = batches(
            data, "train", recipe.batch_size, recipe.augment, recipe.seed, options
        )
        # Asked for here, so that an empty split is known before anything is trained.
        batches(data, "validation", 1, None, 0, BatchOptions(classes=self.class_names))
        self._frames = ScaledFrames(
            data, self.class_names, self.scaling, options.cache_bytes, self.channels
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._class_names

    def describe(self) -> dict[str, Any]:
        splits = {name: self._data.of_split(name).frames for name in _SEEN}
        names = {name: [frame.image for frame in frames] for name, frames in splits.items()}
        # Labels that were corrected under the same names are other examples.
        files = [
            self._data.folder / file
            for frames in splits.values()
            for frame in frames
            for file in (frame.image, frame.label)
            if file is not None
        ]
        content = input_content(files).digest if files else None
        return {"folder": self._data.folder.resolve().name, "content": content, **names}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        self._batches.epoch = epoch
        return self._batches

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame in self._data.of_split("validation").frames:
            yield self._frames.read(frame)

    def close(self) -> None:
        pass

    def weights(self) -> list[float]:
        found = class_weights(count_pixels(self._data.of_split("train")))
        present = [weight for weight in found.values() if weight]
        if not present:
            raise ReadError(f"{self._data.folder}: all pixels of the training frames are ignored")
        # A class that no frame shows may as well weigh as much as the lightest.
        whole = [found.get(name, 0.0) or min(present) for name in self.class_names]
        return damped(whole)


_SEEN = ("train", "validation")


def damped(weights: list[float]) -> list[float]:
    """Square roots of weights, the heaviest at most `MOST_WEIGHT` lightest, and 1 in the mean.

    The frequencies of background and pore differ by a hundred, and weights that differ as much
    make a network see pores everywhere.

    Example:
        >>> damped([1.0, 4.0, 10000.0])
        [0.375, 0.75, 1.875]
    """
    roots = np.sqrt(weights)
    bounded = np.minimum(roots, MOST_WEIGHT * roots.min())
    return list(map(float, bounded / bounded.mean()))
