"""Time of `amseg segment` against the inference alone, and its memory, for a stack of any length.

    python benchmarks/segment_stream.py --frames 2000
    python benchmarks/segment_stream.py --frames 20000 --model amsegnet-esrf-lite

Frames are simulated (256 x 512 pixels, 16 bit), a few distinct ones in turn, and written to an HDF5
file in a temporary folder. End to end is everything: reading, inference, label maps, overlays and
the table. TensorFlow imports JAX where it is installed: for the memory in a user's environment,
install `.[tensorflow,fast]` and nothing else.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import h5py
import keras
import numpy as np
from recorded import keep_record, record_option

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.read import open_stack
from amseg_keras.runs import RunSettings, run_stack

DISTINCT = 16


class InTurn:
    """A stack of a few frames in memory, one after the other and again."""

    def __init__(self, frames: np.ndarray, count: int) -> None:
        self.frames = frames
        self.shape = (count, *frames.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        return self.frames[index % len(self.frames)]


def write_stack(path: Path, frames: InTurn) -> None:
    """A dataset of one chunk a frame, not compressed, as detectors write it."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", frames.shape, np.uint16, chunks=(1, *frames.shape[1:]))
        for index in range(len(frames)):
            data[index] = frames[index]


def seconds_of_inference(segmenter: Segmenter, frames: InTurn, batch_size: int | None) -> float:
    """Only the network, on frames that are in memory; its first batch, which compiles, left out."""
    grey_range = segmenter.scaling.measure(frames)
    times = list(_times(segmenter.iter_labels(frames, grey_range, batch_size=batch_size)))
    steps = [later - earlier for earlier, later in pairwise(times)]
    return sum(steps) * len(frames) / len(steps)


def _times(labelled: Iterator[object]) -> Iterator[float]:
    for _ in labelled:
        yield time.perf_counter()


def main() -> None:
    """Measure once, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--model", default="amsegnet-esrf")
    parser.add_argument("--engine", help="as for Segmenter.compile_inference")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--format", default="tiff")
    record_option(parser)
    options = parser.parse_args()
    segmenter = from_pretrained(options.model)
    with open_stack("sample:esrf-lpbf") as sample:
        some = np.stack([sample[index] for index in range(DISTINCT)]).astype(np.uint16) * 16
    if options.engine:
        print(segmenter.compile_inference(options.engine, some))
    frames = InTurn(some, options.frames)
    settings = RunSettings(options.format, batch_size=options.batch_size)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_stack(folder / "stack.h5", frames)
        pure = seconds_of_inference(segmenter, frames, options.batch_size)
        start = time.perf_counter()
        with open_stack(folder / "stack.h5") as stack:
            run_stack(stack, segmenter, "benchmark", folder / "out", settings)
        whole = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {keras.backend.backend()}")
    print(
        f"{len(frames)} frames of {frames.shape[1]} x {frames.shape[2]}: inference alone "
        f"{pure:.1f} s ({len(frames) / pure:.0f} frames/s), end to end {whole:.1f} s, "
        f"{whole / pure:.2f} times; at most {peak:.0f} MB in memory"
    )
    measured = {
        "network": options.model,
        "engine": segmenter.engine,
        "frames": len(frames),
        "shape": list(frames.shape[1:]),
        "seconds_of_inference": round(pure, 1),
        "seconds": round(whole, 1),
        "peak_mb": round(peak),
    }
    keep_record(options.record, measured)


if __name__ == "__main__":
    main()
