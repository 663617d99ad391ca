"""Simulated frames, scaled as inference scales them, from a worker process."""

from __future__ import annotations

import multiprocessing
import queue

import cv2
import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import GreyScaling
from amseg_keras.simulate import simulate_frame

CROP, FRAME = (192, 256), (256, 512)
CROPS, FRAMES = 4, 2
"""Batch sizes: the machine is small, so more steps are worth more than larger batches."""
VALIDATION_SEED = 977_001
FACILITIES = {"esrf": 0.75, "aps": 0.25}
"""Whose frames are simulated, and how many of each: those of APS, at half the pixel size and partly
with a clipped beam, keep the network from learning one beamline by heart."""


def stretched(frame: np.ndarray, low: float = 0.1, high: float = 99.9) -> np.ndarray:
    """One frame scaled as at inference, with percentiles of its own."""
    return GreyScaling(low_percent=low, high_percent=high).measure(frame[None]).apply(frame)


def jittered(rng: np.random.Generator, frame: np.ndarray) -> np.ndarray:
    """The stretch with percentiles, gamma, contrast and brightness drawn at random."""
    if rng.random() < 0.4:
        image = stretched(frame)
    else:
        image = stretched(frame, rng.uniform(0, 0.6), rng.uniform(99.3, 100))
    if rng.random() < 0.5:
        image = image ** np.float32(np.exp(rng.uniform(-0.35, 0.35)))
    if rng.random() < 0.5:
        image = (image - 0.5) * rng.uniform(0.7, 1.2) + 0.5 + rng.uniform(-0.1, 0.1)
    return np.clip(image, 0, 1).astype(np.float32)


def window_with_surface(rng: np.random.Generator, labels: np.ndarray) -> tuple[slice, slice]:
    """A crop window in which the plate's surface can be seen, half of them on the keyhole."""
    keyhole = np.flatnonzero((labels == 3).any(axis=0))
    if keyhole.size and rng.random() < 0.5:
        left = int(keyhole.mean()) - int(rng.uniform(0.2, 0.8) * CROP[1])
    else:
        left = int(rng.integers(FRAME[1] - CROP[1] + 1))
    left = int(np.clip(left, 0, FRAME[1] - CROP[1]))
    solid = (labels[:, left : left + CROP[1]] >= 2) & (labels[:, left : left + CROP[1]] < IGNORE)
    surface = float(np.median(np.argmax(solid, axis=0)))
    top = int(np.clip(surface - rng.uniform(0.2, 0.7) * CROP[0], 0, FRAME[0] - CROP[0]))
    return slice(top, top + CROP[0]), slice(left, left + CROP[1])


def training_batch(seed: int, first: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """The batch that begins with frame number `first`: images and labels, always the same."""
    images, targets = [], []
    for number in range(first, first + (FRAMES if whole else CROPS)):
        rng = np.random.default_rng((seed, number))
        facility = str(rng.choice(list(FACILITIES), p=list(FACILITIES.values())))
        frame, labels = simulate_frame(rng, FRAME, facility)
        image = jittered(rng, frame)
        if not whole:
            window = window_with_surface(rng, labels)
            image, labels = image[window], labels[window]
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        images.append(image)
        targets.append(labels)
    return np.stack(images)[..., None], np.stack(targets)


def simulate_batches(seed: int, wanted, ready) -> None:
    """Worker process: answer each request (first frame, whole frames or not) with a batch."""
    cv2.setNumThreads(1)
    while True:
        try:
            request = wanted.get(timeout=60)
        except queue.Empty:
            # A parent that was killed cannot say good-bye.
            if multiprocessing.parent_process().is_alive():
                continue
            return
        if request is None:
            return
        ready.put((request, *training_batch(seed, *request)))


class BatchStream:
    """Batches from one worker process, a few ahead; the order is the order of asking."""

    def __init__(self, seed: int, first: int, ahead: int = 6) -> None:
        context = multiprocessing.get_context("spawn")
        self._wanted, self._ready = context.Queue(), context.Queue()
        self._worker = context.Process(
            target=simulate_batches, args=(seed, self._wanted, self._ready), daemon=True
        )
        self._worker.start()
        self._next = first
        for _ in range(ahead):
            self._ask(False)

    def _ask(self, whole: bool) -> None:
        self._wanted.put((self._next, whole))
        self._next += FRAMES if whole else CROPS

    def next(self, whole: bool) -> tuple[int, np.ndarray, np.ndarray]:
        """Number of frames used so far, images `(batch, height, width, 1)` and labels.

        `whole` says what to ask the worker for now: it arrives a few batches later.
        """
        self._ask(whole)
        (first, _), images, labels = self._ready.get(timeout=300)
        return first + len(images), images, labels

    def close(self) -> None:
        """End the worker."""
        self._wanted.put(None)
        self._worker.join(timeout=5)
        self._worker.terminate()


def stretched_frame(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A simulated frame `(height, width, 1)` scaled as at inference, and its labels."""
    frame, labels = simulate_frame(np.random.default_rng((seed, number)), FRAME)
    return stretched(frame)[..., None], labels


def validation_set(frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fixed simulated frames and labels that training never sees."""
    return [stretched_frame(VALIDATION_SEED, number) for number in range(frames)]
