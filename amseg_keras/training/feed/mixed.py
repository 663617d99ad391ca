"""Examples of several sources in every batch, each with its share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.feed.ahead import Batch
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.training.errors import TrainingError
from amseg_keras.training.feed.examples import DatasetExamples, DatasetSource, Examples
from amseg_keras.training.feed.simulation import Simulation
from amseg_keras.training.recipe import Recipe


class MixedExamples:
    """Batches that hold frames of a main source and of others.

    An epoch is an epoch of the main source. The others go on from where the epoch before left them
    and begin again at their end. Validation, weights and classes are the main source's; a class of
    another source that the main one lacks is ignored.

    Args:
        main: Source that is validated on, with the batches that it gives itself.
        others: Further sources, each with batches of its own size.
    """

    def __init__(self, main: Examples, others: Sequence[Examples]) -> None:
        self.main, self.others = main, tuple(others)
        beside = "; ".join(one.trained_on for one in self.others)
        self.trained_on = f"{main.trained_on}; mixed with {beside}"

    @property
    def scaling(self) -> GreyScaling:
        return self.main.scaling

    @property
    def channels(self) -> Channels:
        return self.main.channels

    @property
    def pixel_size_um(self) -> float | None:
        return self.main.pixel_size_um

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.main.class_names

    def describe(self) -> dict[str, Any]:
        return self.main.describe() | {"mixed_with": [one.describe() for one in self.others]}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        return _Mixed(self.main, self.others, epoch)

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return self.main.validation()

    def weights(self) -> list[float]:
        return self.main.weights()

    def close(self) -> None:
        for one in (self.main, *self.others):
            one.close()


class _Mixed(keras.utils.PyDataset):
    def __init__(self, main: Examples, others: Sequence[Examples], epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._main = main.batches(epoch)
        self._others = [(one, translation(one.class_names, main.class_names)) for one in others]
        self._opened: dict[tuple[int, int], keras.utils.PyDataset] = {}

    def __len__(self) -> int:
        return len(self._main)

    def __getitem__(self, index: int) -> Batch:
        made = [self._main[index]]
        for number, (source, ids) in enumerate(self._others):
            images, labels = self._of(number, source, self._epoch * len(self) + index)
            made.append((images, ids[labels].astype(np.int32)))
        return (
            np.concatenate([images for images, _ in made]),
            np.concatenate([labels for _, labels in made]),
        )

    def _of(self, number: int, source: Examples, step: int) -> Batch:
        """The batch of a source after so many steps of the training."""
        epoch, at = divmod(step, len(self._open(number, source, 0)))
        return self._open(number, source, epoch)[at]

    def _open(self, number: int, source: Examples, epoch: int) -> keras.utils.PyDataset:
        if (number, epoch) not in self._opened:
            self._opened[number, epoch] = source.batches(epoch)
        return self._opened[number, epoch]


def mixed_examples(
    source: DatasetSource, simulation: Simulation, share: float, recipe: Recipe, folder: Path
) -> MixedExamples:
    """Mix the frames of a data set with simulated frames.

    Args:
        source: The data set, the classes and the grey levels of the network.
        simulation: What is simulated; its windows get the recipe's shape.
        share: Share of the simulated frames in each batch, above 0 and below 1.
        recipe: Batch size, shape, seed.
        folder: Folder of the simulated recordings.

    Raises:
        TrainingError: The share leaves one of the sources no frame of a batch, or the recipe has no
            shape.
    """
    from amseg_keras.training.feed.simulated import SimulatedExamples

    simulated = round(share * recipe.batch_size)
    if not 0 < simulated < recipe.batch_size:
        left_out = "simulated frames" if simulated == 0 else "data set"
        raise TrainingError(
            f"a share of {share:g} of {recipe.batch_size} frames leaves the {left_out} none in a "
            "batch; give a larger --batch-size or another share"
        )
    if recipe.shape is None:
        raise TrainingError("whole frames of a data set and of a simulator differ; give a --shape")
    main = DatasetExamples(
        source.data,
        replace(recipe, batch_size=recipe.batch_size - simulated),
        source.class_names,
        source.scaling,
    )
    frames = len(main.batches(0)) * simulated
    windows = replace(
        simulation,
        frames=frames,
        kept=max(simulation.kept, frames),
        crop=recipe.shape,
        # Whole frames of the simulator have another size than the windows of the data set.
        whole_from=1.0,
    )
    of_simulator = replace(recipe, batch_size=simulated)
    return MixedExamples(main, [SimulatedExamples(windows, of_simulator, main.scaling, folder)])


def translation(old: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """Find the new id of each old one by its name, uint8 `(256,)`; 255 for a class without one.

    Example:
        >>> translation(("gas", "plate", "pore"), ("pore", "gas"))[[0, 1, 2, 255]].tolist()
        [1, 255, 0, 255]
    """
    ids = np.full(256, IGNORE, np.uint8)
    for number, name in enumerate(old):
        if name in new:
            ids[number] = new.index(name)
    return ids
