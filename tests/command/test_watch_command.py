"""`amseg watch` as its users run it: beside an acquisition, stopped, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.command.watch import watch
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo

LIMIT_S = 120
QUICK = ("--settle", "0.1", "--patience", "0.5", "--complete-after", "0.5")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    info = PresetInfo("shallow", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    segmenter = Segmenter(randomise(shallow_network()), info)
    return segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "shallow")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def write_frame(folder, number):
    rng = np.random.default_rng(number)
    scene = np.cumsum(rng.normal(0, 60, (32, 48)), axis=1) + 2000
    tifffile.imwrite(folder / f"shot_{number:03}.tif", scene.astype(np.uint16))


def started(*arguments):
    code = "from amseg_keras.command.watch import watch; watch()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def invoked(*arguments):
    return CliRunner().invoke(watch, [str(argument) for argument in arguments])


def wait_for_rows(process, table, count):
    deadline = time.monotonic() + LIMIT_S
    while not (table.is_file() and table.read_text().count("\n") > count):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_sigterm_ends_it_with_everything_written_whole(preset, folder, tmp_path):
    for number in range(16):
        write_frame(folder, number)
    process = started(folder, "-o", tmp_path / "out", "-m", preset)
    wait_for_rows(process, tmp_path / "out" / "shot" / "live.csv", 16)
    process.send_signal(signal.SIGTERM)
    text, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    assert "shot: 16 frames done" in text
    assert "latency" in text
    assert f"shot: 16 frames -> {tmp_path / 'out' / 'shot'}" in text
    record = json.loads((tmp_path / "out" / "shot" / "run.json").read_text())
    assert record["shape"] == [16, 32, 48]
    assert tifffile.imread(tmp_path / "out" / "shot" / "labels.tif").shape == (16, 32, 48)


@pytest.mark.slow
def test_killed_and_started_again_it_does_each_frame_once(preset, folder, tmp_path):
    for number in range(150):
        write_frame(folder, number)
    command = (folder, "-o", tmp_path / "out", "-m", preset, "--batch-size", "1", *QUICK)
    process = started(*command)
    table = tmp_path / "out" / "shot" / "live.csv"
    wait_for_rows(process, table, 20)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = pd.read_csv(table)
    assert not (tmp_path / "out" / "shot" / "run.json").exists()
    for number in range(150, 160):
        write_frame(folder, number)
    done = invoked(*command, "--until-idle", "0.5")
    assert done.exit_code == 0, done.output
    after = pd.read_csv(table)
    assert list(after["file"]) == [f"shot_{number:03}.tif" for number in range(160)]
    kept = len(before) - 1  # the kill may have cut the last one
    pd.testing.assert_frame_equal(after[:kept], before[:kept], check_dtype=False)
    record = json.loads((tmp_path / "out" / "shot" / "run.json").read_text())
    assert kept <= record["frames_from_earlier_run"] < 150
    assert record["shape"][0] == 160


def test_a_damaged_frame_is_exit_code_1_and_named_at_the_end(preset, folder, tmp_path):
    for number in range(16):
        write_frame(folder, number)
    (folder / "shot_016.tif").write_bytes(b"II*\0 no frame")
    command = (folder, "-o", tmp_path / "out", "-m", preset, *QUICK, "--until-idle", "0.3")
    done = invoked(*command)
    assert done.exit_code == 1
    assert "shot_016.tif" in done.output[done.output.index("failed:") :]
    assert "Traceback" not in done.output
    assert invoked(*command).exit_code == 0


def test_a_folder_that_is_not_there_is_exit_code_1(preset, tmp_path):
    done = invoked(tmp_path / "none", "-o", tmp_path / "out", "-m", preset)
    assert done.exit_code == 1
    assert "none: no such folder" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in"], "--out"),
        (["in", "-o", "out", "--settle", "-1"], "settle"),
        (["in", "-o", "out", "-m", "no-such-preset"], "--model"),
        (["in", "-o", "out", "--engine", "openvino-int8"], "needs frames beforehand"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    done = invoked(*arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_the_engine_is_said_and_recorded(preset, folder, tmp_path):
    write_frame(folder, 0)
    command = (folder, "-o", tmp_path / "out", "-m", preset, *QUICK, "--until-idle", "0.3")
    done = invoked(*command, "--engine", "onnxruntime")
    assert done.exit_code == 0, done.output
    assert "engine onnxruntime, float32" in done.output
    record = json.loads((tmp_path / "out" / "shot" / "run.json").read_text())
    assert (record["engine"], record["precision"]) == ("onnxruntime", "float32")
