"""One stack into one folder: complete, resumable, never mixed up with another run."""

import json

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile

from amseg_keras import ReadError
from amseg_keras.read import open_stack
from amseg_keras.runs import OutputTakenError, RunSettings, run_stack


class KilledError(Exception):
    """Stands for the end of the process: nothing in the package catches it."""


@pytest.fixture
def stack_file(tmp_path):
    rng = np.random.default_rng(1)
    frames = np.cumsum(rng.normal(0, 60, (11, 32, 48)), axis=1) + 2000
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, frames.astype(np.uint16), photometric="minisblack")
    return path


@pytest.fixture
def run(small_segmenter, stack_file, tmp_path):
    """Run the stack into a folder of tmp_path."""

    def run(folder="out", progress=lambda done: None, file=stack_file, **settings):
        settings.setdefault("batch_size", 2)
        with open_stack(file) as stack:
            return run_stack(
                stack,
                small_segmenter,
                "digest",
                tmp_path / folder,
                RunSettings(**settings),
                progress,
            )

    return run


def files_of(folder):
    """Contents of every file, without the times in run.json."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "run.json":
            record = json.loads(path.read_text())
            del record["times"]
            contents["run.json"] = record
        elif path.is_file():
            contents[str(path.relative_to(folder))] = path.read_bytes()
    return contents


def test_a_run_writes_labels_overlay_table_and_record(run, small_segmenter, stack_file, tmp_path):
    record = run(pixel_size_um=4.31)
    out = tmp_path / "out"
    names = ["bounds.npz", "frames.csv", "labels.tif", "overlay.mp4", "run.json"]
    assert sorted(files_of(out)) == names
    expected = small_segmenter.segment(stack_file, batch_size=2).labels
    np.testing.assert_array_equal(tifffile.imread(out / "labels.tif"), expected)
    table = pd.read_csv(out / "frames.csv")
    np.testing.assert_array_equal(table["pore_area_px"], (expected == 4).sum(axis=(1, 2)))
    np.testing.assert_allclose(table["pore_area_um2"], table["pore_area_px"] * 4.31**2, rtol=1e-5)
    assert iio.imread(out / "overlay.mp4", plugin="pyav").shape[0] == 11
    assert record == json.loads((out / "run.json").read_text())
    assert record["model"] == "small"
    assert record["grey_range"]["low"] < record["grey_range"]["high"]
    assert {"amseg-keras", "keras", "backend"} <= set(record["versions"])


@pytest.mark.parametrize(
    ("label_format", "name"), [("png", "labels/00010.png"), ("hdf5", "labels.h5")]
)
def test_other_label_formats(run, tmp_path, label_format, name):
    assert name.split("/")[0] in run(label_format=label_format)["outputs"]
    assert (tmp_path / "out" / name).is_file()


def test_a_preset_gives_no_pixel_size_unasked(run, tmp_path):
    record = run("a")
    assert (record["pixel_size_um"], record["pixel_size_from"]) == (None, None)
    assert "um" not in (tmp_path / "a" / "frames.csv").read_text()


def test_a_pixel_size_is_assumed_on_demand_and_every_row_says_so(run, tmp_path, small_segmenter):
    record = run("a", assume_pixel_size=True)
    assert record["pixel_size_um"] == small_segmenter.pixel_size_um
    assert record["pixel_size_from"] == "assumed"
    table = pd.read_csv(tmp_path / "a" / "frames.csv")
    assert (table["pixel_size_from"] == "assumed").all()


def test_the_users_pixel_size_comes_before_an_assumed_one(run, tmp_path):
    record = run("b", pixel_size_um=2.0, assume_pixel_size=True)
    assert (record["pixel_size_um"], record["pixel_size_from"]) == (2.0, "user")
    assert "assumed" not in (tmp_path / "b" / "frames.csv").read_text()


def test_the_users_frame_rate_is_recorded(run):
    assert run("a")["frame_rate_hz"] is None
    record = run("b", frame_rate_hz=50_000.0)
    assert (record["frame_rate_hz"], record["frame_rate_from"]) == (50_000.0, "user")


@pytest.mark.parametrize("killed_at", [1, 5, 10])
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(run, tmp_path, killed_at):
    def kill(done):
        if done == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        run("killed", kill)
    assert not (tmp_path / "killed" / "run.json").exists()
    seen = []
    run("killed", seen.append)
    assert seen[0] == killed_at // 2 * 2, "whole batches are not computed again"
    assert seen[-1] == 11
    run("undisturbed")
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "undisturbed")


def test_a_kill_before_the_record_computes_nothing_again(run, tmp_path, monkeypatch):
    def killed(*_):
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("amseg_keras.outputs.folder.OutputFolder.finish", killed)
        run("killed")
    seen = []
    run("killed", seen.append)
    assert seen == [11]


def test_a_complete_run_is_left_as_it_is(run, tmp_path):
    run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    run()
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_another_runs_result_is_not_touched_without_overwrite(run, tmp_path):
    run(label_format="tiff")
    before = files_of(tmp_path / "out")
    with pytest.raises(OutputTakenError, match=r"holds the result of another run .*--overwrite"):
        run(label_format="hdf5")
    assert files_of(tmp_path / "out") == before


def test_overwrite_replaces_the_result_and_its_files(run, tmp_path):
    run(label_format="tiff")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    run(label_format="hdf5", overwrite=True)
    assert sorted(files_of(tmp_path / "out")) == [
        "bounds.npz",
        "frames.csv",
        "labels.h5",
        "notes.txt",
        "overlay.mp4",
        "run.json",
    ]


def test_unreadable_frames_are_named_and_the_others_done(run, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        frame = rng.integers(0, 4000, (32, 48), dtype=np.uint16)
        tifffile.imwrite(folder / f"{index:04}.tif", frame)
    (folder / "0002.tif").write_bytes(b"")
    record = run(file=folder)
    (failed,) = record["unreadable_frames"]
    assert failed["frame"] == 2
    assert "0002.tif" in failed["error"]
    table = pd.read_csv(tmp_path / "out" / "frames.csv")
    assert table["frame"].tolist() == [0, 1, 3]
    assert table["file"].tolist() == ["0000.tif", "0001.tif", "0003.tif"]
    labels = tifffile.imread(tmp_path / "out" / "labels.tif")
    assert (labels[2] == 255).all()


def test_a_stack_without_readable_frames_leaves_no_result(run, tmp_path):
    frames = np.full((2, 32, 32), np.nan, np.float32)
    np.save(tmp_path / "nan.npy", frames)
    with pytest.raises(ReadError, match=r"nan\.npy"):
        run(file=tmp_path / "nan.npy")
    assert not (tmp_path / "out" / "run.json").exists()
