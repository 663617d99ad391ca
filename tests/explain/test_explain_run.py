"""One stack explained into one folder: complete, resumable, never mixed up with another run."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from random_networks import randomise
from u_network import segmenter_of, u_network

from amseg_keras import ReadError
from amseg_keras.explain import GradCam, confidence
from amseg_keras.read import open_stack
from amseg_keras.runs import OutputTakenError
from amseg_keras.runs.explain import ExplainSettings, run_explanation

FILES = ["confidence", "explain.json", "frames.csv", "grad_cam", "grad_cam.tif"]


class KilledError(Exception):
    """Stands for the end of the process: nothing in the package catches it."""


@pytest.fixture(scope="module")
def segmenter():
    return segmenter_of(randomise(u_network()))


@pytest.fixture
def stack_file(tmp_path):
    rng = np.random.default_rng(1)
    frames = np.cumsum(rng.normal(0, 60, (4, 30, 44)), axis=1) + 2000
    tifffile.imwrite(tmp_path / "movie.tif", frames.astype(np.uint16), photometric="minisblack")
    return tmp_path / "movie.tif"


@pytest.fixture
def run(segmenter, stack_file, tmp_path):
    """Explain the stack into a folder of tmp_path."""

    def run(folder="out", progress=lambda done: None, file=stack_file, **settings):
        settings = ExplainSettings(**{"class_name": "pore", **settings})
        with open_stack(file) as stack:
            return run_explanation(
                stack, segmenter, "digest", tmp_path / folder, settings, progress
            )

    return run


def files_of(folder):
    """Contents of every file, without the times in the record."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "explain.json":
            record = json.loads(path.read_text())
            del record["times"]
            contents["explain.json"] = record
        elif path.is_file():
            contents[str(path.relative_to(folder))] = path.read_bytes()
    return contents


def test_a_run_writes_maps_pictures_table_and_record(run, segmenter, stack_file, tmp_path):
    record = run()
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == FILES == sorted(record["outputs"])
    assert record == json.loads((out / "explain.json").read_text())
    assert record["layer"] == "deep"
    assert record["class"] == "pore"
    assert record["limits"]["low_margin"] == 0.2
    with open_stack(stack_file) as stack:
        grey_range = segmenter.scaling.measure(stack)
        expected = [GradCam(segmenter.model, 2).explain(grey_range.apply(one)) for one in stack]
    maps = tifffile.imread(out / "grad_cam.tif")
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, [one.heat for one in expected], atol=1e-5)
    nowhere = [frame for frame, one in enumerate(expected) if not one.found.any()]
    assert record["frames_without_class"] == nowhere
    table = pd.read_csv(out / "frames.csv")
    wanted = confidence(segmenter, stack_file).frames
    pd.testing.assert_frame_equal(table, wanted, rtol=1e-5)
    assert record["look_at"] == wanted["frame"][wanted["look_at"]].tolist()
    for kind in ("grad_cam", "confidence"):
        names = sorted(path.name for path in (out / kind).iterdir())
        assert names == [f"{frame:05}.png" for frame in range(4)]


def test_only_the_frames_asked_for_are_explained(run, tmp_path):
    record = run(frames=(1, 3), layer="outer")
    assert record["frames"] == [1, 3]
    assert sorted(pd.read_csv(tmp_path / "out" / "frames.csv")["frame"]) == [1, 3]
    with tifffile.TiffFile(tmp_path / "out" / "grad_cam.tif") as file:
        assert len(file.pages) == 2
        about = json.loads(file.imagej_metadata["Info"])
    assert about == {"class": "pore", "layer": "outer", "frames": [1, 3]}
    with pytest.raises(ReadError, match=r"movie\.tif: there is no frame 4 among 4"):
        run("other", frames=(0, 4))


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(run, tmp_path):
    def kill(done):
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        run("killed", kill)
    assert not (tmp_path / "killed" / "explain.json").exists()
    (tmp_path / "killed" / "grad_cam" / "00001.png").write_bytes(b"as it was")
    record = run("killed")
    assert record["times"]["frames_from_earlier_run"] == 2
    run("undisturbed")
    killed, undisturbed = files_of(tmp_path / "killed"), files_of(tmp_path / "undisturbed")
    assert killed.pop("grad_cam/00001.png") == b"as it was", "not done again"
    del undisturbed["grad_cam/00001.png"]
    assert killed == undisturbed


def test_a_killed_run_of_another_class_is_begun_anew(run, tmp_path):
    def kill(done):
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        run("out", kill)
    assert run("out", class_name="gas", frames=(3,))["times"]["frames_from_earlier_run"] == 0
    assert [path.name for path in (tmp_path / "out" / "grad_cam").iterdir()] == ["00003.png"]


def test_a_complete_run_is_left_as_it_is(run, tmp_path):
    run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    seen = []
    run(progress=seen.append)
    assert seen == [4]
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}


def test_another_runs_result_is_replaced_only_when_asked(run, tmp_path):
    run()
    (tmp_path / "out" / "grad_cam" / "mine.png").write_text("mine")
    before = files_of(tmp_path / "out")
    with pytest.raises(OutputTakenError, match=r"holds the result of another run .*--overwrite"):
        run(class_name="gas")
    assert files_of(tmp_path / "out") == before
    assert run(class_name="gas", frames=(0,), overwrite=True)["class"] == "gas"
    names = sorted(path.name for path in (tmp_path / "out" / "grad_cam").iterdir())
    assert names == ["00000.png", "mine.png"]


def test_a_table_of_amseg_segment_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "frames.csv").write_text("frame,pore_area_px")
    with pytest.raises(
        OutputTakenError, match=r"contains a frames\.csv that amseg explain did not write"
    ):
        run()
    assert (tmp_path / "out" / "frames.csv").read_text() == "frame,pore_area_px"


def test_unreadable_frames_are_named_and_the_others_done(run, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        frame = rng.integers(0, 4000, (32, 48), dtype=np.uint16)
        tifffile.imwrite(folder / f"{index:04}.tif", frame)
    (folder / "0001.tif").write_bytes(b"")
    record = run(file=folder)
    (failed,) = record["unreadable_frames"]
    assert failed["frame"] == 1
    assert "0001.tif" in failed["error"]
    table = pd.read_csv(tmp_path / "out" / "frames.csv").sort_values("frame")
    assert table["file"].tolist() == ["0000.tif", "0002.tif"]
    maps = tifffile.imread(tmp_path / "out" / "grad_cam.tif")
    np.testing.assert_array_equal(np.isnan(maps).any(axis=(1, 2)), [False, True, False])
    assert not (tmp_path / "out" / "grad_cam" / "00001.png").exists()
    with pytest.raises(ReadError, match=r"0001\.tif"):
        run("none", file=folder, frames=(1,))
    assert not (tmp_path / "none").exists()
