"""The `amseg` command as its users run it: in a process of its own."""

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
from PIL import Image

from amseg_keras.command import main


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "small")


def amseg(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "amseg_keras", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def frame(seed=0, size=(48, 64)):
    rng = np.random.default_rng(seed)
    return (np.cumsum(rng.normal(0, 3, size), axis=1) + 128).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("counts", "chosen"), [((1, 1), "amsegnet-esrf-lite"), ((1, 3), "amsegnet-movie")]
)
def test_without_a_model_recordings_and_single_frames_get_the_preset_that_is_best_for_them(
    tmp_path, counts, chosen
):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, count in enumerate(counts):
        frames = np.stack([frame(seed) for seed in range(count)])
        tifffile.imwrite(folder / f"{number}.tif", frames, photometric="minisblack")
    files = [folder / f"{number}.tif" for number in range(len(counts))]
    done = CliRunner().invoke(main, ["segment", *map(str, files), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out" / "0" / "run.json").read_text())
    assert record["model"] == chosen
    assert chosen in done.output


def test_good_frames_are_done_and_bad_files_named(preset, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    Image.fromarray(frame(0)).save(folder / "first.png")
    Image.fromarray(frame(1)).save(folder / "second.jpg")
    tifffile.imwrite(folder / "truncated.tif", frame(2))
    whole = (folder / "truncated.tif").read_bytes()
    (folder / "truncated.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("not an image at all")
    (folder / "empty.bmp").write_bytes(b"")
    done = amseg("segment", folder, "-o", tmp_path / "out", "--model", preset)
    assert done.returncode == 1
    assert sorted(path.parent.name for path in (tmp_path / "out").glob("*/run.json")) == [
        "first",
        "second",
    ]
    errors = done.stderr[done.stderr.index("failed:") :]
    assert [name in errors for name in ("truncated.tif", "text.png", "empty.bmp")] == [True] * 3
    assert "Traceback" not in done.stderr


def test_two_stacks_in_one_command_with_exit_code_0(preset, tmp_path):
    frames = np.stack([frame(seed) for seed in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    np.save(tmp_path / "b.npy", frames)
    done = invoked(
        "segment", tmp_path / "a.tif", tmp_path / "b.npy", "-o", tmp_path / "out", "-m", preset,
        "--format", "hdf5", "--pixel-size", "2", "--batch-size", "2", "--device", "cpu",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for name in ("a", "b"):
        folder = tmp_path / "out" / name
        assert sorted(path.name for path in folder.iterdir()) == [
            "bounds.npz",
            "frames.csv",
            "labels.h5",
            "overlay.mp4",
            "run.json",
        ]
        record = json.loads((folder / "run.json").read_text())
        assert (record["pixel_size_um"], record["batch_size"]) == (2, 2)
        assert len(pd.read_csv(folder / "frames.csv")) == 3


def test_killed_half_way_it_completes_with_the_files_of_an_undisturbed_run(preset, tmp_path):
    frames = np.stack([frame(seed, (64, 96)) for seed in range(160)])
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    command = [
        sys.executable, "-m", "amseg_keras", "segment", str(tmp_path / "movie.tif"),
        "-m", str(preset), "--batch-size", "1", "-o", str(tmp_path / "killed"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    store = tmp_path / "killed" / "movie" / ".unfinished" / "frames"
    deadline = time.monotonic() + 120
    while not (store.exists() and store.stat().st_size > 5 * 64 * 96):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "movie" / "run.json").exists()

    assert invoked(*command[3:]).exit_code == 0
    command[-1] = str(tmp_path / "undisturbed")
    assert invoked(*command[3:]).exit_code == 0
    killed, undisturbed = tmp_path / "killed" / "movie", tmp_path / "undisturbed" / "movie"
    assert sorted(p.name for p in killed.iterdir()) == sorted(p.name for p in undisturbed.iterdir())
    for name in ("labels.tif", "overlay.mp4", "frames.csv"):
        assert (killed / name).read_bytes() == (undisturbed / name).read_bytes(), name
    resumed = json.loads((killed / "run.json").read_text())["times"]["frames_from_earlier_run"]
    assert 5 <= resumed < 160


def invoked(*arguments):
    """Run the command in this process, where nothing but its words and exit code matters."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segment"], "Usage"),
        (["segment", "x.tif"], "--out"),
        (["segment", "sample:esrf-lpbf", "-o", "o", "-m", "amsegnet-esfr"], "did you mean"),
        (["segment", "sample:esrf-lpbf", "-o", "o", "--device", "gpu:7"], "no device 'gpu:7'"),
        (["segment", "sample:esrf-lpbf", "-o", "o", "--pixel-size", "-1"], "pixel-size"),
    ],
    ids=["nothing", "no output", "no such model", "no such device", "negative pixel size"],
)
def test_wrong_use_is_exit_code_2_and_says_what(arguments, message):
    done = invoked(*arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_a_missing_input_is_exit_code_1(tmp_path):
    done = invoked("segment", tmp_path / "none.tif", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert f"{tmp_path / 'none.tif'}: no such file" in done.output


def test_help_names_the_commands_and_exit_codes():
    text = invoked("--help").output
    assert all(word in text for word in ("segment", "presets", "convert", "Exit codes"))


def test_presets_says_what_they_were_trained_on():
    text = invoked("presets").output
    assert "amsegnet-esrf" in text
    assert "simulated" in text


def test_convert_of_no_weights_file_is_exit_code_1(tmp_path):
    (tmp_path / "w.hdf5").write_text("text")
    done = invoked("convert", tmp_path / "w.hdf5", tmp_path / "out", "--class-order", "a,b")
    assert done.exit_code == 1
    assert "w.hdf5: truncated, or not an HDF5 file" in done.output
