"""Frames that are simulated for every step, so that none is seen twice."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from amseg_keras.backend import accelerators, usable_cores
from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets.feed.ahead import Batch, MadeAhead
from amseg_keras.preprocess import GreyScaling
from amseg_keras.simulate import FACILITIES, simulate_frame
from amseg_keras.training.feed.simulation import Simulation
from amseg_keras.training.recipe import Recipe

VALIDATION_SEED = 977_001
FULL_FRAME = (256, 512)
_KEYHOLE, _SUBSTRATE = CLASS_NAMES.index("keyhole"), CLASS_NAMES.index("substrate")
_CLASS_WEIGHTS = (0.7, 1.2, 0.7, 4.0, 3.0)


class SimulatedExamples:
    """Frames of a `Simulation`, as batches of an epoch.

    Args:
        simulation: What is simulated.
        recipe: Batch size, epochs, seed; batches of whole frames hold as many pixels as those of
            windows.
        scaling: How the network wants its grey levels.

    Raises:
        ValueError: There is no such facility.
    """

    def __init__(
        self, simulation: Simulation, recipe: Recipe, scaling: GreyScaling | None = None
    ) -> None:
        if unknown := [name for name in simulation.facilities if name not in FACILITIES]:
            raise ValueError(f"{unknown[0]!r} is no facility; there are {', '.join(FACILITIES)}")
        self.scaling = scaling or GreyScaling()
        self.trained_on = f"simulated frames ({simulation}); no real frame was used"
        first = next(iter(simulation.facilities))
        self.pixel_size_um = FACILITIES[first].pixel_size_um
        self._simulation, self._recipe = simulation, recipe
        self._pool: Executor | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return CLASS_NAMES

    def describe(self) -> dict[str, Any]:
        return {"simulated": asdict(self._simulation)}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        if self._pool is None:
            self._pool = _workers()
        simulation, recipe = self._simulation, self._recipe
        whole = simulation.crop is None or epoch >= simulation.whole_from * recipe.epochs
        size = recipe.batch_size
        if whole and simulation.crop is not None:
            share = np.prod(simulation.crop) / np.prod(FULL_FRAME)
            size = max(1, round(size * float(share)))
        make = functools.partial(
            _batch, simulation, self.scaling, recipe.seed, None if whole else simulation.crop, size
        )
        return _Epoch(make, -(-simulation.frames // size), epoch, self._pool)

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        facility = next(iter(self._simulation.facilities))
        for number in range(self._simulation.validation_frames):
            rng = np.random.default_rng((VALIDATION_SEED, number))
            frame, labels = simulate_frame(rng, FULL_FRAME, facility)
            yield self.scaling.measure(frame[None]).apply(frame), labels

    def weights(self) -> list[float]:
        return list(_CLASS_WEIGHTS)


class _Epoch(keras.utils.PyDataset):
    """The batches of one epoch, a few of them made ahead."""

    def __init__(
        self, make: Callable[[int, int], Batch], count: int, epoch: int, pool: Executor
    ) -> None:
        super().__init__()
        self._count, self._epoch = count, epoch
        self._ahead = MadeAhead(make, count, _AHEAD, pool)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Batch:
        return self._ahead.get(self._epoch, index)


_AHEAD = 6


def _workers() -> Executor:
    # A CPU that trains is slower than one thread that simulates; a GPU keeps many processes busy.
    if not accelerators():
        return ThreadPoolExecutor(1, thread_name_prefix="amseg-simulate")
    count = max(1, usable_cores() - 1)
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _batch(
    simulation: Simulation,
    scaling: GreyScaling,
    seed: int,
    crop: tuple[int, int] | None,
    size: int,
    epoch: int,
    index: int,
) -> Batch:
    made = [
        _example(simulation, scaling, crop, np.random.default_rng((seed, epoch, number)))
        for number in range(index * size, min((index + 1) * size, simulation.frames))
    ]
    images, labels = zip(*made, strict=True)
    return np.stack(images)[..., None], np.stack(labels).astype(np.int32)


def _example(
    simulation: Simulation,
    scaling: GreyScaling,
    crop: tuple[int, int] | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    shares = np.array(list(simulation.facilities.values()))
    facility = str(rng.choice(list(simulation.facilities), p=shares / shares.sum()))
    frame, labels = simulate_frame(rng, FULL_FRAME, facility)
    image = _jittered(rng, frame, scaling)
    if crop is not None:
        window = _window_with_surface(rng, labels, crop)
        image, labels = image[window], labels[window]
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return image, labels


def _jittered(rng: np.random.Generator, frame: np.ndarray, scaling: GreyScaling) -> np.ndarray:
    """The stretch with percentiles, gamma, contrast and brightness drawn at random."""
    drawn = scaling
    if scaling.method == "percentile" and rng.random() < 0.6:
        drawn = GreyScaling("percentile", rng.uniform(0, 0.6), rng.uniform(99.3, 100), scaling.top)
    image = drawn.measure(frame[None]).apply(frame) / scaling.top
    if rng.random() < 0.5:
        image = image ** np.float32(np.exp(rng.uniform(-0.35, 0.35)))
    if rng.random() < 0.5:
        image = (image - 0.5) * rng.uniform(0.7, 1.2) + 0.5 + rng.uniform(-0.1, 0.1)
    return (scaling.top * np.clip(image, 0, 1)).astype(np.float32)


def _window_with_surface(
    rng: np.random.Generator, labels: np.ndarray, crop: tuple[int, int]
) -> tuple[slice, slice]:
    """A window in which the plate's surface can be seen, half of them on the keyhole."""
    height, width = labels.shape
    keyhole = np.flatnonzero((labels == _KEYHOLE).any(axis=0))
    if keyhole.size and rng.random() < 0.5:
        left = int(keyhole.mean()) - int(rng.uniform(0.2, 0.8) * crop[1])
    else:
        left = int(rng.integers(width - crop[1] + 1))
    left = int(np.clip(left, 0, width - crop[1]))
    columns = labels[:, left : left + crop[1]]
    surface = float(np.median(np.argmax((columns >= _SUBSTRATE) & (columns != IGNORE), axis=0)))
    top = int(np.clip(surface - rng.uniform(0.2, 0.7) * crop[0], 0, height - crop[0]))
    return slice(top, top + crop[0]), slice(left, left + crop[1])
