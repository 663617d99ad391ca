"""Frames per second of the simulator and of the input pipeline, on one backend.

    KERAS_BACKEND=torch python benchmarks/data_throughput.py

Writes rows of a Markdown table. Frames are simulated (256 x 512 pixels), written as a data set
into a temporary folder, and fed in batches of 16 as in the paper.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets import BatchOptions, Dataset, LabelledFrame, batches, strong_augmentation
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.feed.augment import SeededAugmentation
from amseg_keras.simulate import FACILITIES, simulate_frame, simulate_sequence

SHAPE = (256, 512)
BATCH = 16


def row(what: str, frames: int, seconds: float) -> None:
    """Print one row of the table."""
    name = keras.backend.backend()
    print(
        f"| {what} | {name} | {frames / seconds:.0f} | {1000 * seconds / frames:.1f} |", flush=True
    )


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, the other users of the machine left out."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_simulator(frames: int) -> None:
    """Time single frames of each facility, and of one sequence, in one process and thread."""
    cv2.setNumThreads(1)
    for facility in FACILITIES:
        simulate_frame(np.random.default_rng(1), SHAPE, facility)  # the textures of the first
        start = time.perf_counter()
        for number in range(frames):
            simulate_frame(np.random.default_rng((0, number)), SHAPE, facility)
        row(f'`simulate_frame`, "{facility}"', frames, time.perf_counter() - start)
    start = time.perf_counter()
    simulate_sequence("esrf", frames, seed=0)
    row('`simulate_sequence`, "esrf"', frames, time.perf_counter() - start)


def simulated_dataset(folder: Path, frames: int) -> Dataset:
    """Simulate a data set."""
    made = []
    for number in range(frames):
        image, labels = simulate_frame(np.random.default_rng((0, number)), SHAPE)
        about = LabelledFrame("", None, f"shot{number}", number, split="train")
        made.append(write_frame(folder, image, labels, about))
    return Dataset(folder, CLASS_NAMES, tuple(made))


def measure_feed(data: Dataset, repeats: int) -> None:
    """Time whole epochs with and without the files in memory, and with each augmentation."""

    def epoch_of(augment: str | None, **options: int) -> tuple[Callable[[], None], int]:
        made = batches(data, "train", BATCH, augment, options=BatchOptions(workers=0, **options))

        def epoch() -> None:
            for index in range(len(made)):
                made[index]

        # The first epoch measures grey ranges, fills the cache and compiles.
        epoch()
        return epoch, made.samples

    for what, augment, options in (
        ("files read anew", None, {"cache_bytes": 0}),
        ("files in memory", None, {}),
        ('augment="paper"', "paper", {}),
        ('augment="strong"', "strong", {}),
    ):
        epoch, frames = epoch_of(augment, **options)
        row(what, frames, fastest(epoch, repeats))


def measure_layers(data: Dataset, repeats: int) -> None:
    """Time each layer of the strong augmentation by itself."""
    images, labels = batches(data, "train", BATCH)[0]
    for layer in strong_augmentation().layers:
        augmentation = SeededAugmentation(layer)
        ids = labels.astype(np.uint8)
        augmentation.apply(images, ids, (0,))
        seconds = fastest(lambda a=augmentation, i=ids: a.apply(images, i, (1,)), repeats)
        row(f"only {type(layer).__name__}", len(images), seconds)


def main() -> None:
    """Measure everything on the backend of `KERAS_BACKEND`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", action="store_true", help="each layer of strong by itself too")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Keras {keras.version()}\n")
    print("| what | backend | frames/s | ms per frame |\n|---|---|---:|---:|")
    measure_simulator(options.frames)
    with tempfile.TemporaryDirectory() as folder:
        data = simulated_dataset(Path(folder), options.frames)
        measure_feed(data, options.repeats)
        if options.layers:
            measure_layers(data, options.repeats)


if __name__ == "__main__":
    main()
