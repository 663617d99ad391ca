"""`amseg segment` with its options for long stacks and many processes."""

import os
import signal
import subprocess
import sys
import time

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner

from amseg_keras.command import main


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "small")


@pytest.fixture
def movie(tmp_path):
    rng = np.random.default_rng(0)
    frames = (np.cumsum(rng.normal(0, 3, (6, 64, 96)), axis=1) + 128).clip(0, 255)
    tifffile.imwrite(tmp_path / "movie.tif", frames.astype(np.uint8), photometric="minisblack")
    return tmp_path / "movie.tif"


def segment(*arguments):
    return CliRunner().invoke(main, ["segment", *map(str, arguments)])


@pytest.mark.parametrize(("overlay", "shown"), [("all", 6), ("3", 3)])
def test_overlay_says_how_many_frames_are_drawn(preset, movie, tmp_path, overlay, shown):
    done = segment(movie, "-o", tmp_path / "out", "-m", preset, "--overlay", overlay)
    assert done.exit_code == 0, done.output
    pictures = iio.imread(tmp_path / "out" / "movie" / "overlay.mp4", plugin="pyav")
    assert len(pictures) == shown


def test_overlay_none_writes_no_movie(preset, movie, tmp_path):
    done = segment(movie, "-o", tmp_path / "out", "-m", preset, "--overlay", "none")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out" / "movie").iterdir()) == [
        "bounds.npz",
        "frames.csv",
        "labels.tif",
        "run.json",
    ]


def test_labels_as_zarr_are_those_as_tiff(preset, movie, tmp_path):
    for label_format in ("tiff", "zarr"):
        out = tmp_path / label_format
        done = segment(movie, "-o", out, "-m", preset, "--format", label_format)
        assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(
        zarr.open_array(tmp_path / "zarr" / "movie" / "labels.zarr", mode="r")[:],
        tifffile.imread(tmp_path / "tiff" / "movie" / "labels.tif"),
    )


def test_zarr_without_its_package_ends_before_the_work(movie, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    done = segment(movie, "-o", tmp_path / "out", "--format", "zarr")
    assert done.exit_code == 1
    assert "pip install 'amseg-keras[zarr]'" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--overlay", "some"], "give all, none or a number of frames"),
        (["--overlay", "-1"], "give all, none or a number of frames"),
        (["--workers", "0"], "--workers"),
        (["--workers", "2", "--dask", "tcp://host:8786"], "give --workers or --dask, not both"),
    ],
)
def test_wrong_use_is_exit_code_2(movie, tmp_path, options, message):
    done = segment(movie, "-o", tmp_path / "out", *options)
    assert done.exit_code == 2
    assert message in done.output


def test_a_scheduler_that_does_not_answer_is_exit_code_1(preset, movie, tmp_path, monkeypatch):
    monkeypatch.setattr("amseg_keras.runs.cluster.CONNECT_S", 1)
    done = segment(movie, "-o", tmp_path / "out", "-m", preset, "--dask", "tcp://127.0.0.1:9")
    assert done.exit_code == 1
    assert "tcp://127.0.0.1:9: no dask scheduler answers there" in done.output
    assert "Traceback" not in done.output


def children_of(pid):
    listed = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True
    )
    children = [int(line) for line in listed.stdout.split()]
    return children + [one for child in children for one in children_of(child)]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_its_workers(preset, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (4000, 128, 128)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "long.tif", frames, photometric="minisblack")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "amseg_keras", "segment", tmp_path / "long.tif"),
            *("-o", tmp_path / "out", "-m", preset, "--workers", "2", "--overlay", "none"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    store = tmp_path / "out" / "long" / ".unfinished" / "frames"
    deadline = time.monotonic() + 180
    while not (store.exists() and store.stat().st_size):
        assert process.poll() is None, "ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = children_of(process.pid)
    # As a terminal does it: to the command and to its workers.
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; " in said
    assert "Traceback" not in said
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if is_running(pid)]
