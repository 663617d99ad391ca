"""Every command that writes, killed at random moments: given again, it ends as if undisturbed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame

pytestmark = pytest.mark.slow

KILLS = 5
"""Of each command; ten commands make 50."""

TIMES = {"times", "finished", "versions", "seconds", "started", "frames_from_earlier_run"}


def amseg(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "amseg_keras", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def through(*arguments, cwd):
    process = amseg(*arguments, cwd=cwd)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A recording, its results and a labelled data set, to be read by the commands."""
    place = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :160]
    frames = np.stack(
        [
            60
            + 120 * (rows < 40 + 8 * np.sin(columns / 30 + number / 9))
            + rng.integers(0, 9, rows.shape)
            for number in range(60)
        ]
    ).astype(np.uint8)
    tifffile.imwrite(place / "scan.tif", frames, photometric="minisblack")
    labels = (frames < 100).astype(np.uint8)
    labelled = [
        write_frame(place / "data", frame, label, LabelledFrame("", None, "shot", number + 1))
        for number, (frame, label) in enumerate(zip(frames[:6], labels[:6], strict=True))
    ]
    Dataset(place / "data", ("background", "substrate"), tuple(labelled)).save()
    model = ("-m", "amsegnet-esrf-lite", "--engine", "keras")
    through("segment", "scan.tif", "-o", "results", *model, "--overlay", "none", cwd=place)
    through("quantify", "results/scan", cwd=place)
    return place


KERAS = ("-m", "amsegnet-esrf-lite", "--engine", "keras")
COMMANDS = {
    "segment-tiff": ("segment", "scan.tif", "-o", "out", *KERAS),
    "segment-png": ("segment", "scan.tif", "-o", "out", *KERAS, "--format", "png"),
    "segment-hdf5": ("segment", "scan.tif", "-o", "out", *KERAS, "--format", "hdf5"),
    "segment-zarr": ("segment", "scan.tif", "-o", "out", *KERAS, "--format", "zarr"),
    "prepare": ("prepare", "scan.tif", "--median", "3", "-o", "out"),
    "simulate": ("simulate", "--facility", "esrf", "--frames", "3", "--sequences", "2",
                 "--shape", "96x160", "-o", "out"),
    "quantify": ("quantify", "results/scan", "-o", "out"),
    "explain": ("explain", "scan.tif", "--class", "substrate", "-m", "amsegnet-esrf-lite",
                "--frames", "0,5,9", "-o", "out"),
    "evaluate": ("evaluate", "-m", "amsegnet-esrf-lite", "--data", "data", "--split", "all",
                 "-o", "out"),
    "report": ("report", "results/scan", "-o", "out/report.html"),
}  # fmt: skip


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    return value


def contents(folder):
    """Every file of a folder, hidden ones too; of records all but the times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = without_times(json.loads(path.read_text()))
        elif path.suffix == ".html":
            found[name] = len(path.read_text()) // 100  # the page says when it was made
        elif path.suffix in (".png", ".tif") and path.parent.name in ("images", "labels"):
            found[name] = np.asarray(Image.open(path)).tobytes()
        elif path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_killed_anywhere_ends_as_an_undisturbed_one(name, place):
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    started = time.monotonic()
    through(*COMMANDS[name], cwd=place)
    lasts = time.monotonic() - started
    undisturbed = contents(out)
    shutil.rmtree(out)
    moments = random.Random(name)
    for _ in range(KILLS):
        process = amseg(*COMMANDS[name], cwd=place)
        time.sleep(moments.uniform(0.5, 1.0) * lasts)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if moments.random() < 0.5:  # go on with what was killed once, or twice
            continue
        through(*COMMANDS[name], cwd=place)
        assert contents(out) == undisturbed
        shutil.rmtree(out)
    through(*COMMANDS[name], cwd=place)
    assert contents(out) == undisturbed
    shutil.rmtree(out)


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "term")]
)
def test_a_command_that_is_asked_to_end_says_how_to_go_on(place, number, code, word):
    command = COMMANDS["segment-tiff"]
    process = amseg(*command, cwd=place)
    store = place / "out" / "scan" / ".unfinished" / "frames"
    while not (store.exists() and store.stat().st_size):
        assert process.poll() is None, "ended before it could be interrupted"
        time.sleep(0.005)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    shutil.rmtree(place / "out")
    assert process.returncode == code
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith(word)
    assert last.endswith("out/scan is not finished; the same command goes on where it stopped")
