"""Frames per second of the simulator and of the input pipeline, on one backend.

    KERAS_BACKEND=torch python benchmarks/data_throughput.py --layers

Frames are simulated (256 x 512 pixels), written as a data set into a temporary folder, and fed in
batches of 16 as in the paper.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from recorded import keep_record, record_option

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets import BatchOptions, Dataset, LabelledFrame, batches, strong_augmentation
from amseg_keras.datasets.augmentation import SeededAugmentation
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.simulate import FACILITIES, simulate_frame, simulate_sequence

SHAPE = (256, 512)
BATCH = 16

Row = dict[str, Any]


def row(part: str, what: str, frames: int, seconds: float) -> Row:
    """What was measured of one thing; it is printed too."""
    print(f"{what}: {frames / seconds:.0f} frames/s", flush=True)
    return {"part": part, "what": what, "frames": frames, "seconds": round(seconds, 4)}


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, the other users of the machine left out."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_simulator(frames: int) -> Iterator[Row]:
    """Time single frames of each facility, and of one sequence, in one process and thread."""
    cv2.setNumThreads(1)
    for facility in FACILITIES:
        simulate_frame(np.random.default_rng(1), SHAPE, facility)  # the textures of the first
        start = time.perf_counter()
        for number in range(frames):
            simulate_frame(np.random.default_rng((0, number)), SHAPE, facility)
        what = f'`simulate_frame`, "{facility}"'
        yield row("simulator", what, frames, time.perf_counter() - start)
    start = time.perf_counter()
    simulate_sequence("esrf", frames, seed=0)
    yield row("simulator", '`simulate_sequence`, "esrf"', frames, time.perf_counter() - start)


def simulated_dataset(folder: Path, frames: int) -> Dataset:
    """Simulate a data set."""
    made = []
    for number in range(frames):
        image, labels = simulate_frame(np.random.default_rng((0, number)), SHAPE)
        about = LabelledFrame("", None, f"shot{number}", number, split="train")
        made.append(write_frame(folder, image, labels, about))
    return Dataset(folder, CLASS_NAMES, tuple(made))


def measure_feed(data: Dataset, repeats: int) -> Iterator[Row]:
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
        ("`batches`, files read anew in each epoch", None, {"cache_bytes": 0}),
        ("`batches`, files in memory", None, {}),
        ('`batches(augment="paper")`', "paper", {}),
        ('`batches(augment="strong")`', "strong", {}),
    ):
        epoch, frames = epoch_of(augment, **options)
        yield row("feed", what, frames, fastest(epoch, repeats))


def measure_layers(data: Dataset, repeats: int) -> Iterator[Row]:
    """Time each layer of the strong augmentation by itself."""
    images, labels = batches(data, "train", BATCH)[0]
    for layer in strong_augmentation().layers:
        augmentation = SeededAugmentation(layer)
        ids = labels.astype(np.uint8)
        augmentation.apply(images, ids, (0,))
        seconds = fastest(lambda a=augmentation, i=ids: a.apply(images, i, (1,)), repeats)
        yield row("layers", f"`{type(layer).__name__}`", len(images), seconds)


def main() -> None:
    """Measure everything on the backend of `KERAS_BACKEND`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", action="store_true", help="each layer of strong by itself too")
    record_option(parser)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Keras {keras.version()} on {keras.backend.backend()}")
    rows = list(measure_simulator(options.frames))
    with tempfile.TemporaryDirectory() as folder:
        data = simulated_dataset(Path(folder), options.frames)
        rows += measure_feed(data, options.repeats)
        if options.layers:
            rows += measure_layers(data, options.repeats)
    keep_record(options.record, {"backend": keras.backend.backend(), "rows": rows})


if __name__ == "__main__":
    main()
