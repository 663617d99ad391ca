"""How much faster two workers segment than one, with a core for each.

    python benchmarks/worker_scaling.py --frames 256 --rounds 3

Each worker is a process of dask.distributed, bound to one core. One and two workers take turns; a
short stack, which does not count, has the network loaded and compiled before. The process that
collects the labels and writes the files has no core of its own: with as many workers as cores it
takes some of theirs, as it would not on a cluster.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tifffile
from recorded import keep_record, record_option

from amseg_keras import from_pretrained
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import StackSource, find_stacks, open_stack
from amseg_keras.runs import RunSettings
from amseg_keras.runs.cluster import ClusterJob, NetworkSpec, connected, segment_on_cluster


def bind(core: int) -> None:
    """Keep this process, and the threads that it will start, on one core."""
    os.sched_setaffinity(0, {core})


def seconds(workers: int, sources: Sequence[StackSource], network: NetworkSpec) -> float:
    """Segment the stacks one after the other by so many workers; the time of the last."""
    segmenter = from_pretrained(network.model)
    settings = RunSettings("tiff", overwrite=True, drawn=0)
    with connected(workers=workers) as client, tempfile.TemporaryDirectory() as scratch:
        for core, address in enumerate(client.scheduler_info(n_workers=-1)["workers"]):
            client.run(bind, core, workers=[address])
        job = ClusterJob(network, segmenter, Path(scratch), settings)
        for source in sources:
            start = time.perf_counter()
            for result in segment_on_cluster(client, [source], job):
                assert result.error is None, result.error
            took = time.perf_counter() - start
    return took


def main() -> None:
    """Measure in turn, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="amsegnet-esrf")
    parser.add_argument("--engine", default="openvino")
    record_option(parser)
    options = parser.parse_args()
    network = NetworkSpec(
        model=options.model,
        revision=None,
        weights_sha256=weights_digest(find_preset(options.model)),
        backend=keras.backend.backend(),
        device="cpu",
        engine=options.engine,
        threads=1,
    )
    with tempfile.TemporaryDirectory() as scratch:
        with open_stack("sample:esrf-lpbf") as sample:
            frames = np.stack([sample[n % len(sample)] for n in range(options.frames)])
        for name, some in (("1_short.tif", frames[:64]), ("2_whole.tif", frames)):
            tifffile.imwrite(Path(scratch) / name, some, photometric="minisblack")
        sources, _ = find_stacks([str(Path(scratch) / "*.tif")])
        times = [
            (seconds(1, sources, network), seconds(2, sources, network))
            for _ in range(options.rounds)
        ]
    one, two = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(alone / together for alone, together in times)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"{options.model} on {options.engine}, {options.frames} frames of "
        f"{frames.shape[1]} x {frames.shape[2]}: one worker {one:.1f} s, two {two:.1f} s, "
        f"{ratio:.2f} times faster (medians of {options.rounds} rounds)"
    )
    measured = {
        "network": options.model,
        "engine": options.engine,
        "frames": options.frames,
        "rounds": options.rounds,
        "seconds_of_one_worker": round(one, 1),
        "seconds_of_two_workers": round(two, 1),
        "ratio": round(ratio, 2),
    }
    keep_record(options.record, measured)


if __name__ == "__main__":
    main()
