"""Label maps in the files of other programs, and back again."""

import json

import numpy as np
import pytest
import tifffile
from segmented_runs import write_run

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets.masks import ImportOptions, import_masks
from amseg_keras.datasets.masks.pictures import stored_class_names
from amseg_keras.outputs import OutputTakenError
from amseg_keras.read import open_stack
from amseg_keras.runs.labelled_experiment import LABEL_EXPORTS, export_labels, find_experiments


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A recording and what was found in it; two of three frames have labels other than 0."""
    folder = tmp_path_factory.mktemp("recording")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4000, (3, 24, 40), dtype=np.uint16)
    labels = rng.choice(np.array([0, 1, 2, 3, 4, 255], np.uint8), frames.shape)
    labels[1] = 0
    path = folder / "scan.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    run = write_run(folder / "scan", labels)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"source": str(path)}))
    return path, run, frames, labels


def exported(run, folder, kind, **more):
    (experiment,), _ = find_experiments([str(run)])
    return export_labels(experiment, folder, kind, **more)


@pytest.mark.parametrize("kind", LABEL_EXPORTS)
def test_labels_come_back_with_their_classes(recording, tmp_path, kind):
    if kind == "ome-zarr":
        pytest.importorskip("zarr")
    path, run, _, labels = recording
    done = exported(run, tmp_path / "out", kind)
    assert done.file.name == f"scan{LABEL_EXPORTS[kind]}"
    assert done.notes == ()
    imported = import_masks([path], done.file, tmp_path / "data", ImportOptions())
    names = imported.data.class_names
    assert sorted(names) == sorted(CLASS_NAMES)
    lookup = np.full(256, 255, np.uint8)
    lookup[: len(names)] = [CLASS_NAMES.index(name) for name in names]
    for frame, expected in zip(imported.data.frames, labels, strict=True):
        np.testing.assert_array_equal(lookup[imported.data.labels(frame)], expected)


def test_ome_tiff_says_the_pixel_size_and_the_frame_rate(recording, tmp_path):
    done = exported(recording[1], tmp_path, "ome-tiff")
    with open_stack(done.file) as stack:
        assert (stack.pixel_size_um, stack.frame_rate_hz) == (2.0, 1000.0)
        assert stack.shape == recording[3].shape
    assert stored_class_names(done.file) == CLASS_NAMES


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_holds_frames_labels_names_and_scale(recording, tmp_path, version):
    zarr = pytest.importorskip("zarr")
    _, run, frames, labels = recording
    store = exported(run, tmp_path, "ome-zarr", ngff=version).file
    root = zarr.open_group(store, mode="r")
    assert root.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]
    np.testing.assert_array_equal(root["0"], frames)
    np.testing.assert_array_equal(root["labels/classes/0"], labels)
    about = dict(root["labels/classes"].attrs)
    about = about.get("ome", about)
    assert about["image-label"]["properties"][3] == {"label-value": 3, "class": "keyhole"}
    assert [axis["name"] for axis in about["multiscales"][0]["axes"]] == ["t", "y", "x"]
    with open_stack(store) as stack:
        assert (stack.pixel_size_um, stack.frame_rate_hz) == (2.0, 1000.0)
        np.testing.assert_array_equal(stack[2], frames[2])
    assert stored_class_names(store) == CLASS_NAMES


def test_without_the_frames_the_store_says_that_it_holds_none(tmp_path):
    pytest.importorskip("zarr")
    run = write_run(tmp_path / "gone", np.ones((2, 8, 9), np.uint8))
    done = exported(run, tmp_path / "out", "ome-zarr")
    assert "the image in the store is the label map, not the frames: scan.h5" in done.notes[0]


def test_nothing_is_written_over(recording, tmp_path):
    exported(recording[1], tmp_path, "imagej-rois")
    with pytest.raises(OutputTakenError, match="is there already"):
        exported(recording[1], tmp_path, "imagej-rois")
