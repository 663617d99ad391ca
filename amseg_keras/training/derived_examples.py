"""Examples made from other examples: mixed with them, softened by a teacher, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.backend import best_precision, forward_pass
from amseg_keras.classes import IGNORE
from amseg_keras.datasets import Dataset
from amseg_keras.datasets.batching import Batch
from amseg_keras.models.precision import in_precision
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.training.examples import DatasetExamples, DatasetSource, Examples
from amseg_keras.training.recipe import NO_REAL_FRAME, Recipe, Simulation, TrainingError


class WrappedExamples:
    """Base class for examples that wrap other examples.

    Args:
        examples: The wrapped examples, which are given as they are.
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


class MixedExamples(WrappedExamples):
    """Batches that hold frames of a main source and of others.

    An epoch is an epoch of the main source. The others go on from where the epoch before left them
    and begin again at their end. Classes are the main source's; a class of another source that the
    main one lacks is ignored.

    Args:
        main: Source that is validated on, with the batches that it gives itself.
        others: Further sources, each with batches of its own size.
        together: Validate on all sources, and weigh the classes that they have together. By
            default, validation and weights are the main source's.
    """

    def __init__(self, main: Examples, others: Sequence[Examples], together: bool = False) -> None:
        super().__init__(main)
        self._together = together
        self.others = tuple(others)
        # Beside real frames, simulated ones must not say that no real frame was used.
        beside = "; ".join(
            other.trained_on.removesuffix(f"; {NO_REAL_FRAME}") for other in self.others
        )
        self.trained_on = f"{main.trained_on}; mixed with {beside}"

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"mixed_with": [other.describe() for other in self.others]}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        return _Mixed(self.examples, self.others, epoch)

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from self.examples.validation()
        for source in self.others if self._together else ():
            ids = translation(source.class_names, self.class_names)
            for image, labels in source.validation():
                yield image, ids[labels]

    def weights(self) -> list[float]:
        found = dict(zip(self.class_names, self.examples.weights(), strict=True))
        for source in self.others if self._together else ():
            for name, weight in zip(source.class_names, source.weights(), strict=True):
                if name in found:
                    found[name] = max(found[name], weight)
        return [weight * len(found) / sum(found.values()) for weight in found.values()]

    def close(self) -> None:
        for source in (self.examples, *self.others):
            source.close()


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
        """Return the batch of a source after so many steps of the training."""
        epoch, at = divmod(step, len(self._open(number, source, 0)))
        batch: Batch = self._open(number, source, epoch)[at]
        return batch

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
        simulation: Settings of the simulation; its windows get the recipe's shape.
        share: Share of the simulated frames in each batch, above 0 and below 1.
        recipe: Batch size, shape, seed.
        folder: Folder of the simulated recordings.

    Raises:
        TrainingError: The share leaves one of the sources no frame of a batch, or the recipe has no
            shape.
    """
    from amseg_keras.training.simulated_examples import SimulatedExamples

    simulated = _frames_beside(share, recipe, "simulated frames")
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


def mixed_with_frames(
    source: DatasetSource, other: Dataset, share: float, recipe: Recipe
) -> MixedExamples:
    """Mix the frames of a data set with the frames of another one, and validate on both.

    Args:
        source: The data set, the classes and the grey levels of the network.
        other: Data set with the splits "train" and "validation" and the same classes.
        share: Share of its frames in each batch, above 0 and below 1.
        recipe: Batch size, shape, seed.

    Raises:
        TrainingError: The share leaves one of the sources no frame of a batch, or the recipe has no
            shape.
        ReadError: A split of the other data set is empty.
    """
    beside = _frames_beside(share, recipe, "other frames")
    recipes = (
        replace(recipe, batch_size=recipe.batch_size - beside),
        replace(recipe, batch_size=beside, repeat=1),
    )
    main, others = (
        DatasetExamples(data, its, source.class_names, source.scaling)
        for data, its in zip((source.data, other), recipes, strict=True)
    )
    return MixedExamples(main, [others], together=True)


def _frames_beside(share: float, recipe: Recipe, named: str) -> int:
    """Count the frames of a batch that come from another source."""
    beside = round(share * recipe.batch_size)
    if not 0 < beside < recipe.batch_size:
        left_out = named if beside == 0 else "data set"
        raise TrainingError(
            f"a share of {share:g} of {recipe.batch_size} frames leaves the {left_out} none in a "
            "batch; give a larger --batch-size or another share"
        )
    if recipe.shape is None:
        raise TrainingError("frames of two sources may differ in size; give a --shape")
    return beside


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


class DistilledExamples(WrappedExamples):
    """Examples for a small network that learns from a large one (Hinton et al. 2015).

    The target of a pixel is the mean of its label and of the teacher's probabilities. If the pixel
    has no label, the target is the teacher's probabilities alone. The teacher says more than the
    labels do: how certain the class of a pixel is.

    Args:
        examples: Frames and labels.
        teacher: A trained network.
        info: Facts about the teacher's preset.
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
        """Ask the teacher for its probabilities, with the channels that the teacher takes."""
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
    """Average labels and a teacher's probabilities; ignored pixels get the probabilities alone.

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


class KeptExamples(WrappedExamples):
    """The batches of the first epochs, again and again.

    A simulator or a teacher may take longer than a step of a small network. Images are kept as
    float16 and soft labels in steps of 1/255, a megabyte for a frame of 256 x 512.

    Args:
        examples: Examples that are kept.
        epochs: So many epochs are made; then the first comes again.
        folder: Folder of the kept batches; a training that goes on finds them there.
    """

    def __init__(self, examples: Examples, epochs: int, folder: Path) -> None:
        super().__init__(examples)
        self._epochs, self._folder = epochs, folder

    def describe(self) -> dict[str, Any]:
        return {**self.examples.describe(), "kept_epochs": self._epochs}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        again = epoch % self._epochs
        return _Kept(self.examples.batches(again), self._folder / f"{again:04d}")


class _Kept(keras.utils.PyDataset):
    def __init__(self, batches: keras.utils.PyDataset, folder: Path) -> None:
        super().__init__()
        self._batches, self._folder = batches, folder

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        path = self._folder / f"{index:05d}.npz"
        if not path.exists():
            images, labels = self._batches[index]
            self._folder.mkdir(parents=True, exist_ok=True)
            soft = labels.dtype.kind == "f"
            packed = np.rint(255 * labels) if soft else labels
            with complete_or_absent(path) as temporary, temporary.open("wb") as file:
                np.savez(file, images=images.astype(np.float16), labels=packed.astype(np.uint8))
        # Read back even where just made: a training that goes on sees the same numbers.
        with np.load(path) as kept:
            images, packed = kept["images"].astype(np.float32), kept["labels"]
        # Of class ids there is no axis for the classes.
        return images, packed / np.float32(255) if packed.ndim == 4 else packed.astype(np.int32)
