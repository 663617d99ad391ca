"""Simulated recordings on disk, simulated once each, and the processes that simulate them."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras import __version__
from amseg_keras.atomic import complete_or_absent
from amseg_keras.backend import usable_cores
from amseg_keras.preprocess import BackgroundPolicy, GreyRange, GreyScaling
from amseg_keras.simulate import MeltRanges, Recording, record
from amseg_keras.simulate.sequence import OWN_SCALE, PIXEL_SIZES_UM, scaled
from amseg_keras.training.recipe import TARGETS, Simulation

FULL_FRAME = (256, 512)

LENGTHS = (24, 400)
"""Shortest and longest recording; lengths between are drawn evenly on a logarithmic scale."""

VALIDATION_SEED = 977_001
VALIDATION_TARGETS = 2
"""Labelled frames of each recording of the validation: few, so that it sees many experiments."""

_TOP = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Sample:
    """One labelled frame of a recording.

    Attributes:
        frame: Grey levels as recorded, uint16 `(height, width)`.
        background: Grey levels without what moves, on the same scale and of the same shape; None
            for a frame that stands alone.
        labels: Class ids, uint8 of the same shape, 255 where the frame does not show the class.
        moving_labels: Labels for a network that sees what moves; they show more.
        grey_range: Grey levels of the whole recording that become the ends of the network's input.
    """

    frame: np.ndarray
    background: np.ndarray | None
    labels: np.ndarray
    moving_labels: np.ndarray
    grey_range: GreyRange


@dataclass(frozen=True)
class Recordings:
    """Simulate numbered recordings, each a file of a few labelled frames.

    The same number gives the same recording, in whichever order they are made. A training that
    goes on after an interruption simulates what is missing and reads the rest.

    Args:
        folder: Folder of the files. Trainings of the same simulation, seed and grey levels share
            its files; others use subfolders of their own.
        simulation: Settings of the simulation.
        scaling: Grey levels of the network.
        seed: Seed of the recordings.
        targets: Number of labelled frames of each recording.
        shape: Height and width of the frames in pixels.

    Example:
        >>> import tempfile
        >>> made = Recordings(
        ...     Path(tempfile.mkdtemp()), Simulation({"aps": 1.0}), GreyScaling(), 0, 2, (64, 96)
        ... )
        >>> first = made.sample(7, 1)
        >>> first.frame.shape, first.background.shape, bool((first.labels == 2).any())
        ((64, 96), (64, 96), True)
        >>> made.path(7).exists()
        True
    """

    folder: Path
    simulation: Simulation
    scaling: GreyScaling
    seed: int
    targets: int = TARGETS
    shape: tuple[int, int] = FULL_FRAME

    @property
    def key(self) -> str:
        """Name of the subfolder: what decides the content of the files."""
        facilities = self.simulation.facilities
        decides = {
            "coverage": self.simulation.coverage,
            "melt_pool": self.simulation.melt_pool,
            "facilities": dict(facilities),
            "places": {name: repr(self.simulation.place(name)) for name in facilities},
            "scaling": asdict(self.scaling),
            "seed": self.seed,
            "targets": self.targets,
            "shape": self.shape,
            "version": __version__,
        }
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:12]

    def path(self, number: int) -> Path:
        """File of a recording."""
        return self.folder / self.key / f"{number:07d}.npy"

    def make(self, number: int) -> Path:
        """Simulate a recording unless its file is there.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        path = self.path(number)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            found = _simulated(self, number)
            with complete_or_absent(path) as temporary:
                np.save(temporary, found)
        return path

    def sample(self, number: int, target: int) -> Sample:
        """Read a labelled frame, simulating its recording if need be.

        Args:
            number: Number of the recording.
            target: Number of the frame among the labelled frames, from 0.
        """
        stored: Any = np.load(self.make(number), mmap_mode="r")[target]
        known = bool(stored["has_background"])
        return Sample(
            np.array(stored["frame"]),
            np.array(stored["background"]) if known else None,
            np.array(stored["labels"]),
            np.array(stored["moving_labels"]),
            _as_range(stored["grey_range"], self.scaling.top),
        )

    def forget_before(self, number: int) -> None:
        """Delete the files of the recordings before a number."""
        for path in (self.folder / self.key).glob("*.npy"):
            if path.stem.isdigit() and int(path.stem) < number:
                path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Delete all files."""
        shutil.rmtree(self.folder / self.key, ignore_errors=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


class _Rendered:
    """The frames of a simulated recording without their labels: what a policy reads."""

    def __init__(self, recording: Recording, shape: tuple[int, int]) -> None:
        self._recording = recording
        self.shape: tuple[int, ...] = (len(recording), *shape)

    def __len__(self) -> int:
        return len(self._recording)

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._recording.grey(index)


def _simulated(wanted: Recordings, number: int) -> np.ndarray:
    """Simulate a recording: an array of one record for each labelled frame."""
    rng = np.random.default_rng((wanted.seed, number))
    names = list(wanted.simulation.facilities)
    shares = np.array(list(wanted.simulation.facilities.values()))
    facility = wanted.simulation.place(str(rng.choice(names, p=shares / shares.sum())))
    if wanted.simulation.coverage and isinstance(facility.ranges, MeltRanges):
        own, size = rng.random() < OWN_SCALE, float(rng.choice(PIXEL_SIZES_UM))
        facility = facility if own else scaled(facility, size)
    length = round(float(np.exp(rng.uniform(*np.log(LENGTHS)))))
    recording = record(facility, length, int(rng.integers(1 << 62)), shape=wanted.shape)
    frames = _Rendered(recording, wanted.shape)
    # Slices of a casting are no movie: nothing moves from one to the next.
    policy = BackgroundPolicy("none" if facility.frame_rate_hz is None else "recording")
    backgrounds = policy.of_stack(frames)
    targets = np.sort(rng.choice(length, wanted.targets, replace=False))
    made = np.zeros(wanted.targets, _record_type(wanted.shape))
    pool = wanted.simulation.melt_pool
    rendered = [recording.with_both_labels(int(index), pool) for index in targets]
    held = getattr(backgrounds, "held", None) or {int(i): f for i, (f, *_) in enumerate(rendered)}
    grey_range = wanted.scaling.measure(np.stack(list(held.values())))
    for one, index, (frame, labels, more) in zip(made, targets, rendered, strict=True):
        background = backgrounds.of(int(index))
        brightest = max(float(frame.max()), 0 if background is None else float(background.max()))
        # Sixteen bits hold 8-bit frames and their medians without a loss.
        factor = _TOP / max(brightest, 1e-6)
        one["frame"] = np.rint(frame * factor)
        one["labels"], one["moving_labels"] = labels, more
        one["grey_range"] = factor * np.array(_levels(grey_range))
        if background is not None:
            one["has_background"] = True
            one["background"] = np.rint(background * factor)
    return made


def _levels(grey_range: GreyRange) -> list[float]:
    levels = (
        grey_range.low,
        grey_range.high,
        grey_range.specimen_low,
        grey_range.specimen_high,
    )
    return [np.nan if level is None else level for level in levels]


def _as_range(stored: np.ndarray, top: float) -> GreyRange:
    low, high, *specimen = (None if np.isnan(level) else float(level) for level in stored)
    assert low is not None
    assert high is not None
    return GreyRange(low, high, top, *specimen)


def _record_type(shape: tuple[int, int]) -> np.dtype:
    return np.dtype(
        [
            ("frame", np.uint16, shape),
            ("background", np.uint16, shape),
            ("labels", np.uint8, shape),
            ("moving_labels", np.uint8, shape),
            ("grey_range", np.float64, 4),
            ("has_background", bool),
        ]
    )


_ALONE = {
    # The process that trains holds the accelerator and its memory.
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    # One thread each: there are as many processes as cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def simulating_processes() -> Executor:
    """Start processes on all cores but one, at least one process.

    Each process ends with the process that started it, even if that one is killed.
    """
    count = max(1, usable_cores() - 1)
    return _Alone(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


class _Alone(ProcessPoolExecutor):
    """Processes that see no accelerator; the environment of this process stays as it is."""

    def submit(self, *arguments, **keywords):  # type: ignore[no-untyped-def]
        # Processes are started when something is submitted.
        before = {name: os.environ.get(name) for name in _ALONE}
        os.environ.update(_ALONE)
        try:
            return super().submit(*arguments, **keywords)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _begin() -> None:
    """Prepare a process: one thread, low priority, and an end when its parent ends."""
    import cv2

    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: object) -> None:
    parent.join()  # type: ignore[attr-defined]
    os._exit(1)
