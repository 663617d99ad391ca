"""`amseg dataset` as its users run it."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from amseg_keras.command import main
from amseg_keras.datasets import open_dataset


def amseg(*arguments):
    return CliRunner().invoke(main, ["dataset", *map(str, arguments)])


@pytest.fixture
def movies(tmp_path):
    """Six movies of four frames, and their class ids."""
    rng = np.random.default_rng(0)
    for name in "abcdef":
        for folder, values in (
            ("movies", rng.integers(0, 60000, (4, 12, 16), dtype=np.uint16)),
            ("masks", rng.integers(0, 2, (4, 12, 16), dtype=np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", values, photometric="minisblack")
    return tmp_path


@pytest.fixture
def data(movies):
    done = amseg(
        "import",
        *(movies / "movies", "--masks", movies / "masks", "-o", movies / "data"),
        *("--classes", "gas,melt", "--material", "Ti64", "--power", 200),
    )
    assert done.exit_code == 0, done.output
    assert "24 frames added, 24 in all; classes gas, melt" in done.stdout
    return movies / "data"


def test_import_split_validate_info(data, tmp_path):
    done = amseg("split", data)
    assert done.exit_code == 0, done.output
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "train 16 frames of 4 sequences",
        "validation 4 frames of 1 sequences",
        "test 4 frames of 1 sequences",
    ]
    done = amseg("validate", data)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "24 frames: no faults" in done.stderr
    done = amseg("info", data, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for said in ("24 frames, 24 labelled", "Ti64", "split by    sequence", "of the training split"):
        assert said in done.stdout
    shares = pd.read_csv(tmp_path / "out" / "classes.csv", index_col=0)
    assert shares["share"].sum() == pytest.approx(1)
    assert shares["pixels"].sum() == 24 * 12 * 16
    assert pd.read_csv(tmp_path / "out" / "frames.csv")["frames"].to_list() == [24]
    assert (tmp_path / "out" / "statistics.png").stat().st_size > 5000


def test_six_planted_faults_are_all_named(data):
    assert amseg("split", data).exit_code == 0
    frames = open_dataset(data).frames
    by_split = {split: [f for f in frames if f.split == split] for split in ("train", "test")}
    train, test = by_split["train"], by_split["test"]
    Image.new("L", (9, 9)).save(data / train[0].label)
    Image.new("L", (16, 12), 9).save(data / train[1].label)
    (data / train[2].label).unlink()
    (data / test[0].image).write_bytes((data / train[3].image).read_bytes())
    whole = (data / train[4].image).read_bytes()
    (data / train[4].image).write_bytes(whole[: len(whole) // 2])
    Image.new("L", (16, 12)).save(data / "images" / "stray.png")
    done = amseg("validate", data)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    for file, problem in (
        (train[0].label, "9 rows x 9 columns"),
        (train[1].label, "unknown class id 9 (192 pixels)"),
        (train[2].label, "is missing"),
        (test[0].image, "the same pixels as"),
        (train[4].image, ""),
        ("images/stray.png", "listed by no frame"),
    ):
        # Of two equal frames either may be called the copy of the other.
        assert sum(file in line and problem in line for line in lines) == 1, (file, done.stdout)
    assert len(lines) == 6
    assert "6 faults" in done.stderr


def test_a_split_is_replaced_only_when_asked(data):
    assert amseg("split", data).exit_code == 0
    before = (data / "dataset.json").read_text()
    done = amseg("split", data, "--seed", 1)
    assert done.exit_code == 2
    assert "--overwrite" in done.stderr
    assert (data / "dataset.json").read_text() == before
    assert amseg("split", data, "--by", "frame", "--overwrite").exit_code == 0
    assert open_dataset(data).other["split_by"] == "frame"


def test_one_sequence_is_split_by_time(movies):
    out = movies / "one"
    masks = movies / "masks" / "a.tif"
    done = amseg("import", movies / "movies" / "a.tif", "--masks", masks, "-o", out)
    assert done.exit_code == 0, done.output
    assert "the class ids follow the order of the paper" in done.stderr
    done = amseg("split", out)
    assert done.exit_code == 1
    assert "--by time" in done.stderr
    assert amseg("split", out, "--by", "time").exit_code == 0
    assert [frame.split for frame in open_dataset(out).frames] == [
        "train",
        "train",
        "validation",
        "test",
    ]
    assert amseg("validate", out).exit_code == 0


def test_a_folder_without_dataset_json_says_what_was_assumed(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        Image.new("L", (8, 6), 1).save(tmp_path / part / "a.png")
    done = amseg("info", tmp_path)
    assert done.exit_code == 0, done.output
    assert "images/a.png with labels/a.png" in done.stderr
    assert not (tmp_path / "dataset.json").exists()


def test_colours_are_named_on_the_command_line(tmp_path):
    for part, colour in (("frames", (90, 90, 90)), ("masks", (250, 3, 0))):
        (tmp_path / part).mkdir()
        Image.new("RGB", (8, 6), colour).save(tmp_path / part / "a.png")
    given = (tmp_path / "frames", "--masks", tmp_path / "masks", "-o", tmp_path / "data")
    done = amseg("import", *given)
    assert done.exit_code == 1
    assert "--colours" in done.stderr
    done = amseg("import", *given, "--colours", "pore=#ff0000")
    assert done.exit_code == 0, done.output
    data = open_dataset(tmp_path / "data")
    assert data.class_names == ("background", "pore")
    assert (data.labels(data.frames[0]) == 1).all()


@pytest.mark.parametrize("command", ["info", "validate", "split"])
def test_bad_input_is_one_sentence(tmp_path, command):
    for folder in (tmp_path, tmp_path / "missing"):
        done = amseg(command, folder)
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
        assert str(folder) in done.stderr
    (tmp_path / "dataset.json").write_text(json.dumps({"frames": 3}))
    assert amseg(command, tmp_path).exit_code == 1


@pytest.mark.parametrize(
    "wrong", [("--classes", "a,a"), ("--kind", "stone"), ("--power", -1), ("--classes", "a,,b")]
)
def test_wrong_use_is_exit_code_2(movies, wrong):
    given = (movies / "movies", "--masks", movies / "masks", "-o", movies / "data")
    assert amseg("import", *given, *wrong).exit_code == 2
