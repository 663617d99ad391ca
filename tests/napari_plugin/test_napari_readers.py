"""The manifest is valid, and napari opens recordings, results, data sets and samples."""

from pathlib import Path

import dask.array
import numpy as np
import pytest
import tifffile
import yaml
from segmented_runs import write_run

pytest.importorskip("napari", reason="needs amseg-keras[test-napari]")
pytest.importorskip("pytestqt", reason="needs amseg-keras[test-napari]")

from npe2 import PluginManifest
from npe2.cli import app
from typer.testing import CliRunner

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.corrections import Corrections, LabelStack
from amseg_keras.napari import readers
from amseg_keras.napari.layers import KEY, Labelled, Recorded
from amseg_keras.preprocess import Stretch
from amseg_keras.read import open_stack
from amseg_keras.read.formats import SUPPORTED
from amseg_keras.runs import prepare_stack

MANIFEST = Path(readers.__file__).with_name("napari.yaml")


def test_the_manifest_is_valid_and_names_functions_that_are_there():
    checked = CliRunner().invoke(app, ["validate", str(MANIFEST), "--imports"])
    assert checked.exit_code == 0, checked.output
    names = [one.display_name for one in PluginManifest.from_file(MANIFEST).contributions.widgets]
    assert names == ["Prepare", "Segment", "Measure", "Correct and teach"]


def test_the_manifest_names_every_format_that_the_package_reads():
    patterns = yaml.safe_load(MANIFEST.read_text())["contributions"]["readers"][0]
    assert patterns["filename_patterns"] == [f"*{ending}" for ending in SUPPORTED]


def test_a_sample_is_read_when_it_is_shown():
    ((data, more, kind),) = readers.sample_welding()
    assert (kind, more["name"]) == ("image", "esrf-welding")
    assert isinstance(data, dask.array.Array)
    assert more["scale"] == (1.0, 4.31, 4.31)
    with open_stack("sample:esrf-welding") as stack:
        np.testing.assert_array_equal(data[7, 10:20, 5:50].compute(), stack[7][10:20, 5:50])


def test_a_damaged_frame_is_shown_black(tmp_path):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number:04}.tif", np.full((8, 9), 7, np.uint8))
    (tmp_path / "0001.tif").write_bytes(b"no picture")
    ((data, _, _),) = readers.get_reader(str(tmp_path))(str(tmp_path))
    assert data[:, 0, 0].compute().tolist() == [7, 0, 7]


def test_several_files_are_one_recording(tmp_path):
    files = [str(tmp_path / f"{number:04}.tif") for number in range(3)]
    for file in files:
        tifffile.imwrite(file, np.zeros((8, 9), np.uint8))
    ((data, _, _),) = readers.get_reader(files)(files)
    assert data.shape == (3, 8, 9)


def test_a_result_is_read_with_its_recording_and_its_classes(tmp_path):
    import json

    frames = np.random.default_rng(0).integers(0, 255, (3, 24, 40), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", frames, photometric="minisblack")
    labels = np.zeros(frames.shape, np.uint8)
    labels[:, 10:14, 20:25] = 4
    run = write_run(tmp_path / "scan", labels)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"source": str(tmp_path / "scan.tif")}))
    (image, about, _), (found, more, kind) = readers.get_reader(str(run))(str(run))
    assert kind == "labels"
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(image.compute(), frames)
    assert about["scale"] == more["scale"] == (1.0, 2.0, 2.0)
    known = more["metadata"][KEY]
    assert isinstance(known, Labelled)
    assert (known.class_names, known.frame_rate_hz) == (CLASS_NAMES, 1000.0)
    assert more["features"]["class"] == list(CLASS_NAMES)
    np.testing.assert_allclose(more["colormap"].color_dict[4][:3], np.array([214, 39, 40]) / 255)


def test_a_data_set_is_read_with_labels_where_there_are_any(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (4, 24, 40), dtype=np.uint8)
    stack = LabelStack(np.zeros(frames.shape, np.uint8), ("plate", "pore"))
    stack.paint(2, np.ones((24, 40), bool), "pore")
    Corrections(tmp_path / "mine", stack.class_names, 2.0).keep_all("shot", frames, stack)
    (image, _, _), (labels, more, _) = readers.get_reader(str(tmp_path / "mine"))(
        str(tmp_path / "mine")
    )
    np.testing.assert_array_equal(image.compute(), frames)
    assert [set(np.unique(frame).tolist()) for frame in labels] == [{255}, {255}, {1}, {255}]
    assert more["metadata"][KEY].class_names == ("plate", "pore")


def test_prepared_frames_are_read(tmp_path):
    with open_stack("sample:esrf-welding") as stack:
        prepare_stack(stack, [Stretch()], tmp_path / "ready")
    ((data, more, _),) = readers.get_reader(str(tmp_path / "ready"))(str(tmp_path / "ready"))
    assert data.shape == (12, 256, 512)
    assert isinstance(more["metadata"][KEY], Recorded)


@pytest.mark.parametrize("name", ["notes.txt", "empty"])
def test_other_paths_are_left_to_other_plugins(tmp_path, name):
    (tmp_path / "empty").mkdir()
    assert readers.get_reader(str(tmp_path / name)) is None
