"""An acquisition by another process, and what a watch of it leaves."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd

from amseg_keras.preprocess import GreyRange
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.watch import Timing, WatchSettings, Written

SHAPE = (32, 48)
LIMIT_S = 60

# Makes frame `number` for each line it is sent: as a file of its own, or in an HDF5 file.
WRITER = """
import sys, pathlib, h5py, numpy as np, tifffile
target, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
def frame(number):
    rng = np.random.default_rng(number)
    return (np.cumsum(rng.normal(0, 60, (32, 48)), axis=1) + 2000).astype("u2")
if kind != "files":
    file = h5py.File(target, "w", libver="latest")
    data = file.create_dataset("data", (0, 32, 48), "u2", maxshape=(None, 32, 48),
                               chunks=(1, 32, 48))
    if kind == "swmr":
        file.swmr_mode = True
print("open", flush=True)
for number, _ in enumerate(sys.stdin):
    if kind == "files":
        tifffile.imwrite(target / f"shot_{number}.tif", frame(number))
    else:
        data.resize(number + 1, 0)
        data[number] = frame(number)
        file.flush()
    print("there", flush=True)
if kind != "files":
    file.close()
"""


def frame(number):
    """What the writer makes."""
    rng = np.random.default_rng(number)
    return (np.cumsum(rng.normal(0, 60, SHAPE), axis=1) + 2000).astype(np.uint16)


def frames(count):
    return np.stack([frame(number) for number in range(count)])


class Writer:
    """A process that writes as many frames as it is told to."""

    def __init__(self, target, kind):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "open\n"

    def write(self, count):
        for _ in range(count):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "there\n"

    def close(self):
        self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0


def quick(**other):
    timing = Timing(other.pop("settle_s", 0.05), other.pop("patience_s", 0.3))
    chosen = {"grey_wait_s": 0.1, "complete_s": 0.2, "poll_s": 0.02, "batch_size": 2}
    return WatchSettings(timing=timing, **chosen | other)


def written(count):
    """Whether the files of a stack of so many frames are there."""
    return lambda events: any(
        isinstance(event, Written) and event.frames == count for event in events
    )


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def live(folder):
    return pd.read_csv(folder / "live.csv")


def labels_of(folder):
    return np.stack(list(open_labelled_run(folder).frames()))


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def expected_labels(network, folder, stack):
    grey_range = GreyRange(**record_of(folder)["grey_range"])
    return np.stack([one.labels for one in network.segmenter.iter_labels(stack, grey_range)])
