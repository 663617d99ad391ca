"""Simulated recordings as a stream of examples: made by processes, kept on disk, seen again."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from amseg_keras.backend import accelerators, usable_cores
from amseg_keras.datasets.batching import Batch, MadeAhead
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.training.presentation import Presentation, validation_view
from amseg_keras.training.recipe import NO_REAL_FRAME, TARGETS, Recipe, Simulation
from amseg_keras.training.recordings import (
    FULL_FRAME,
    VALIDATION_SEED,
    VALIDATION_TARGETS,
    Recordings,
    simulating_processes,
)

_CLASS_WEIGHTS = {
    "background": 0.7,
    "powder": 1.2,
    "substrate": 0.7,
    "keyhole": 4.0,
    "pore": 3.0,
    "melt pool": 1.5,
}
_MOST_THREADS = 8
_SPREAD = 0.5
"""How far the first epoch shuffles recordings, as a share of its recordings."""


class SimulatedExamples:
    """Frames of simulated recordings, as batches of an epoch.

    Processes simulate the recordings of the next epoch while the network trains on this one. What
    an epoch shows depends on the seed and the number of the epoch alone, not on how fast frames
    were made.

    Args:
        simulation: Settings of the simulation.
        recipe: Batch size, epochs, channels, seed. Batches of whole frames hold as many pixels as
            batches of windows.
        scaling: Grey levels of the network.
        folder: Folder of the recordings; by default a temporary one.

    Raises:
        ValueError: There is no such facility.
    """

    def __init__(
        self,
        simulation: Simulation,
        recipe: Recipe,
        scaling: GreyScaling | None = None,
        folder: Path | None = None,
    ) -> None:
        for name in simulation.facilities:
            simulation.place(name)  # refuses unknown ones before anything is begun
        self.scaling = scaling or GreyScaling()
        self.channels = Channels(recipe.channels)
        self.trained_on = f"simulated frames ({simulation}); {NO_REAL_FRAME}"
        first = next(iter(simulation.facilities))
        self.pixel_size_um = simulation.place(first).pixel_size_um
        self._simulation, self._recipe = simulation, recipe
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="amseg-recordings-")
            folder = Path(self._temporary.name)
        self._made = Recordings(folder, simulation, self.scaling, recipe.seed)
        alone = replace(simulation, facilities={first: 1.0})
        self._held_out = Recordings(
            folder, alone, self.scaling, VALIDATION_SEED, VALIDATION_TARGETS
        )
        self._shown = Presentation(self.scaling, self.channels, recipe.blank, simulation.coverage)
        self._simulating = _Simulating()
        self._threads: Executor | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._simulation.class_names

    def describe(self) -> dict[str, Any]:
        return {"simulated": asdict(self._simulation)}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        simulation, recipe = self._simulation, self._recipe
        whole = simulation.crop is None or epoch >= simulation.whole_from * recipe.epochs
        size = recipe.batch_size
        if whole and simulation.crop is not None:
            share = np.prod(simulation.crop) / np.prod(FULL_FRAME)
            size = max(1, round(size * float(share)))
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_threads(), thread_name_prefix="amseg-show")
        crop = None if whole else simulation.crop
        slots = slots_of(simulation, recipe.seed, epoch)
        return _Epoch(self, epoch, slots, size, crop, self._threads)

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(self._simulation.validation_frames):
            self._simulating.wait_for(self._held_out, number // VALIDATION_TARGETS)
            sample = self._held_out.sample(*divmod(number, VALIDATION_TARGETS))
            yield validation_view(sample, self.scaling, self.channels)

    def weights(self) -> list[float]:
        return [_CLASS_WEIGHTS[name] for name in self.class_names]

    def close(self) -> None:
        """Stop the processes that simulate."""
        self._simulating.close()

    def begin(self, epoch: int) -> None:
        """Start making the recordings of an epoch, and then the recordings of the next epoch."""
        per_epoch = self._simulation.recordings_per_epoch
        first, end = _window(self._simulation, epoch)
        self._simulating.ask_for(self._made, range(first, end))
        held_out = -(-self._simulation.validation_frames // VALIDATION_TARGETS)
        self._simulating.ask_for(self._held_out, range(held_out))
        if epoch + 1 < self._recipe.epochs:
            self._simulating.ask_for(self._made, range(end, end + per_epoch))
        if first:
            self._made.forget_before(first)

    def show(self, slot: Slot, crop: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
        """Make one example: input `(height, width, channels)` and class ids."""
        self._simulating.wait_for(self._made, slot.recording)
        sample = self._made.sample(slot.recording, slot.target)
        return self._shown.show(sample, np.random.default_rng(slot.seed), crop)


@dataclass(frozen=True)
class Slot:
    """One example of an epoch.

    Attributes:
        recording: Number of its recording.
        target: Number of its frame among the labelled frames of the recording.
        seed: Seed of how it is shown.
    """

    recording: int
    target: int
    seed: tuple[int, ...]


def slots_of(simulation: Simulation, seed: int, epoch: int) -> list[Slot]:
    """Choose the examples of an epoch: the new frames, then frames of earlier epochs, shuffled.

    Example:
        With `reuse=4`, a quarter of the second epoch is new:

        >>> chosen = slots_of(Simulation(frames=64, reuse=4), seed=0, epoch=1)
        >>> len(chosen), sum(slot.recording >= 2 for slot in chosen)
        (64, 16)
    """
    rng = np.random.default_rng((seed, epoch, 1))
    first, end = _window(simulation, epoch)
    new = np.arange((end - simulation.recordings_per_epoch) * TARGETS, end * TARGETS)
    old = np.arange(first * TARGETS, new[0])
    new = rng.permutation(new)[: simulation.frames]
    missing = simulation.frames - len(new)
    again = old if len(old) else new
    times = -(-missing // len(again))
    drawn = np.concatenate([rng.permutation(again) for _ in range(times)] or [again[:0]])
    chosen = rng.permutation(np.concatenate([new, drawn[:missing]]))
    if epoch == 0:
        # Nothing is there yet: the first batches do not wait for the last recordings.
        spread = rng.uniform(0, _SPREAD * simulation.recordings_per_epoch, len(chosen))
        chosen = chosen[np.argsort(chosen // TARGETS + spread, kind="stable")]
    return [
        Slot(int(one) // TARGETS, int(one) % TARGETS, (seed, epoch, number))
        for number, one in enumerate(chosen)
    ]


def _window(simulation: Simulation, epoch: int) -> tuple[int, int]:
    """Return the recordings that an epoch may show: the first, and the one after the last."""
    end = (epoch + 1) * simulation.recordings_per_epoch
    return max(0, end - max(simulation.recordings_per_epoch, simulation.kept // TARGETS)), end


class _Epoch(keras.utils.PyDataset):
    """The batches of one epoch, a few of them made ahead."""

    def __init__(
        self,
        examples: SimulatedExamples,
        epoch: int,
        slots: list[Slot],
        size: int,
        crop: tuple[int, int] | None,
        pool: Executor,
    ) -> None:
        super().__init__()
        self._examples, self._epoch, self._slots = examples, epoch, slots
        self._size, self._crop = size, crop
        self._begun = False
        self._ahead = MadeAhead(self._make, len(self), _AHEAD, pool)

    def __len__(self) -> int:
        return -(-len(self._slots) // self._size)

    def __getitem__(self, index: int) -> Batch:
        if not self._begun:
            self._begun = True
            self._examples.begin(self._epoch)
        return self._ahead.get(self._epoch, index)

    def _make(self, epoch: int, index: int) -> Batch:
        if epoch != self._epoch:
            # Asked for ahead; another object makes the next epoch.
            return np.empty(0), np.empty(0)
        slots = self._slots[index * self._size : (index + 1) * self._size]
        made = [self._examples.show(slot, self._crop) for slot in slots]
        images, labels = zip(*made, strict=True)
        return np.stack(images), np.stack(labels).astype(np.int32)


_AHEAD = 6


def _threads() -> int:
    """Threads that show frames: one beside a CPU that trains, several to feed a GPU."""
    return min(_MOST_THREADS, usable_cores()) if accelerators() else 1


class _Simulating:
    """Processes that simulate recordings in the order in which they were asked for."""

    def __init__(self) -> None:
        self._pool: Executor | None = None
        self._asked: dict[Path, Future[Path]] = {}
        self._lock = threading.Lock()

    def ask_for(self, recordings: Recordings, numbers: range) -> None:
        """Have recordings made that are neither there nor asked for."""
        with self._lock:
            for path in [path for path, asked in self._asked.items() if asked.done()]:
                self._asked.pop(path).result()
            for number in numbers:
                path = recordings.path(number)
                if path in self._asked or path.exists():
                    continue
                if self._pool is None:
                    self._pool = simulating_processes()
                self._asked[path] = self._pool.submit(recordings.make, number)

    def wait_for(self, recordings: Recordings, number: int) -> None:
        """Wait until a recording that was asked for is there."""
        with self._lock:
            asked = self._asked.get(recordings.path(number))
        if asked is not None:
            asked.result()

    def close(self) -> None:
        """Stop; what is not begun is not made."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            self._asked.clear()
