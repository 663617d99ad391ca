"""Seconds that it takes to measure a recording: geometry of every frame, and pores tracked.

    python benchmarks/quantification_speed.py

Label maps of 256 x 512 pixels are those of simulated recordings of the ESRF, a few distinct ones,
one after the other and again until there are enough. Needs no backend but Keras' default, and no
GPU.
"""

import argparse
import os
import time
from itertools import cycle, islice

import numpy as np
from recorded import keep_record, record_option

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.quantify import Scale, measure
from amseg_keras.simulate import FACILITIES, record


def label_maps(frames: int, recordings: int, length: int) -> list[np.ndarray]:
    """Label maps of simulated recordings; maps that come again are the same array."""
    made = []
    for seed in range(recordings):
        recording = record("esrf", length, seed)
        made += [recording[index][1] for index in range(length)]
    return list(islice(cycle(made), frames))


def main() -> None:
    """Measure once, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--recordings", type=int, default=5)
    parser.add_argument("--length", type=int, default=50, help="frames of each recording")
    record_option(parser)
    options = parser.parse_args()
    labels = label_maps(options.frames, options.recordings, options.length)
    facility = FACILITIES["esrf"]
    scale = Scale(facility.pixel_size_um, facility.frame_rate_hz)
    start, cpu = time.perf_counter(), time.process_time()
    found = measure(labels, CLASS_NAMES, scale)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    height, width = labels[0].shape
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"{len(found.frames)} frames of {height} x {width}: {seconds:.1f} s"
        f" ({cpu:.1f} s of one core), {found.summary['keyhole_frames']} with a keyhole, "
        f"{len(found.pores)} pores in {len(found.tracks)} tracks"
    )
    measured = {
        "frames": len(found.frames),
        "shape": [height, width],
        "pores": len(found.pores),
        "tracks": len(found.tracks),
        "seconds": round(seconds, 2),
        "seconds_of_one_core": round(cpu, 2),
    }
    keep_record(options.record, measured)


if __name__ == "__main__":
    main()
