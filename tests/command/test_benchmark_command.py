"""`amseg benchmark networks`"""

import json

import pytest
from click.testing import CliRunner
from shallow_networks import put_in_place
from small_sets import make_dataset

from amseg_keras.command.benchmark import benchmark

TWO = ("--networks", "unet", "--networks", "amsegnet")
SMALL = (*TWO, "--epochs", 1, "--batch-size", 4, "--shape", "32x32", "--rounds", 1)
FILES = {"networks.csv", "networks.md", "networks.json", "curves.csv", "networks.png"}


def run(*arguments):
    return CliRunner().invoke(benchmark, ["networks", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _shallow_networks(monkeypatch):
    put_in_place(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return make_dataset(tmp_path / "frames", sequences=6, frames=1)


def test_writes_all_files_goes_on_and_leaves_other_trainings_alone(data, tmp_path):
    out = tmp_path / "out"
    done = run("-d", data.folder, "-o", out, *SMALL)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == FILES | {"runs", "times.json"}
    record = json.loads((out / "networks.json").read_text())
    # In the order of the paper, whatever the order of the options.
    assert [row["network"] for row in record["networks"]] == ["amsegnet", "unet"]
    assert record["conditions"]["recipe"]["shape"] == [32, 32]
    (printed,) = (line for line in done.stdout.splitlines() if line.startswith("mean IoU "))
    assert printed.split()[2:] == [f"{row['mean_iou']:.3f}" for row in record["networks"]]
    assert "training AM-SegNet" in done.stdout

    again = run("-d", data.folder, "-o", out, *SMALL)
    assert again.exit_code == 0
    assert printed in again.stdout
    assert "timing" not in again.stdout

    before = (out / "networks.json").read_text()
    other = run("-d", data.folder, "-o", out, *SMALL, "--epochs", 2)
    assert other.exit_code == 1
    assert "another training" in other.stderr
    assert (out / "networks.json").read_text() == before


def test_bad_input_is_one_sentence(data, tmp_path):
    out = tmp_path / "out"
    for given, named in (
        (("-d", tmp_path / "missing", "-o", out), tmp_path / "missing"),
        (("-d", make_dataset(tmp_path / "few", 4, 1).folder, "-o", out), tmp_path / "few"),
    ):
        done = run(*given, *SMALL)
        assert done.exit_code == 1
        assert isinstance(done.exception, SystemExit)
        assert done.stderr.count("\n") == 1
        assert str(named) in done.stderr
    assert not out.exists()


def test_interrupted_it_says_how_to_go_on(data, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("amseg_keras.comparison.compare.evaluate", interrupt)
    done = run("-d", data.folder, "-o", tmp_path, *SMALL)
    assert done.exit_code == 130
    assert done.stderr.strip().endswith("interrupted; the same command goes on")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--networks", "w-net"),
        ("--shape", "30x32"),
        ("--shape", "big"),
        ("--epochs", 0),
        ("--rounds", 0),
        ("--learning-rate", -1),
        ("--averaging", 1),
    ],
)
def test_wrong_use_is_exit_code_2(data, tmp_path, wrong):
    assert run("-d", data.folder, "-o", tmp_path / "out", *wrong).exit_code == 2
    assert run("-d", data.folder).exit_code == 2
