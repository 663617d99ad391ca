"""`amseg explain` as its users run it."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

from amseg_keras.command.explain import explain as command


def run(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "small")


@pytest.fixture
def movie(frames, tmp_path):
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    return tmp_path / "movie.tif"


def test_explains_stacks_into_folders_of_their_names(preset, movie, frames, tmp_path):
    np.save(tmp_path / "plate.npy", frames[:1])
    out = tmp_path / "out"
    given = (movie, tmp_path / "plate.npy", "-c", "substrate", "-m", preset, "-o", out)
    done = run(*given, "--layer", "decoder_2", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["movie", "plate"]
    record = json.loads((out / "movie" / "explain.json").read_text())
    assert (record["class"], record["layer"]) == ("substrate", "decoder_2")
    assert record["device"] == "cpu:0"
    assert record["model"] == "small"
    assert (out / "movie" / "grad_cam" / "00002.png").is_file()
    assert (out / "plate" / "confidence" / "00000.png").is_file()
    table = pd.read_csv(out / "movie" / "frames.csv")
    named = f"movie: look at frame {', '.join(map(str, record['look_at']))}" in done.stderr
    assert named == bool(table["look_at"].any())


def test_frames_that_there_are_not_are_exit_code_1(preset, movie, tmp_path):
    done = run(movie, "-c", "pore", "-m", preset, "-o", tmp_path / "out", "--frames", "1-7")
    assert done.exit_code == 1
    assert "movie.tif: there is no frame 3 among 3" in done.stderr


def test_an_unreadable_file_is_named(preset, tmp_path):
    (tmp_path / "text.png").write_text("not an image at all")
    done = run(tmp_path / "text.png", "-c", "pore", "-m", preset, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "text.png" in done.stderr[done.stderr.index("failed:") :]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("-c", "crack"), "no class 'crack'; there are background, powder, substrate, keyhole"),
        (("-c", "pore", "--layer", "last"), "no layer 'last'; there are encoder_1, pool_1"),
        (("-c", "pore", "--frames", "1;2"), "'1;2' is neither a frame nor a range"),
        (("-c", "pore", "--frames", "9-2"), "'9-2' ends before it begins"),
        (("-c", "pore", "--frames", ""), "neither a frame nor a range"),
        (("-c", "pore", "--device", "abacus"), "no device 'abacus'"),
        ((), "--class"),
    ],
    ids=["class", "layer", "frames", "range", "no frames", "device", "no class"],
)
def test_wrong_use_is_exit_code_2_and_says_what(preset, movie, tmp_path, wrong, message):
    done = run(movie, "-m", preset, "-o", tmp_path / "out", *wrong)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_model_that_there_is_not_is_exit_code_2(movie, tmp_path):
    done = run(movie, "-m", "no-such-preset", "-c", "pore", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "--model" in done.stderr
