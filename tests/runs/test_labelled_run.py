"""Label maps of a run are read back as they were written, or a sentence says why not."""

import json

import h5py
import numpy as np
import pytest
import tifffile

from amseg_keras.classes import IGNORE
from amseg_keras.read import ReadError
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.runs.labelled_run import open_labelled_run

NAMES = ("background", "substrate", "keyhole")
FORMATS = list(LABEL_WRITERS)
FILES = {"tiff": "labels.tif", "hdf5": "labels.h5"}


def write_run(folder, labels, label_format="tiff", unreadable=(), **other):
    folder.mkdir(parents=True, exist_ok=True)
    LABEL_WRITERS[label_format](folder, iter(labels), labels.shape, NAMES)
    record = {
        "source": "frames.tif",
        "class_names": list(NAMES),
        "label_format": label_format,
        "shape": list(labels.shape),
        "unreadable_frames": [{"frame": index, "error": "is empty"} for index in unreadable],
    }
    (folder / "run.json").write_text(json.dumps(record | other))


@pytest.fixture
def labels():
    maps = np.random.default_rng(0).integers(0, 3, (4, 20, 31)).astype(np.uint8)
    maps[0, :3] = IGNORE
    maps[2] = IGNORE
    return maps


@pytest.mark.parametrize("label_format", FORMATS)
def test_label_maps_of_every_format_come_back(label_format, labels, tmp_path):
    write_run(tmp_path, labels, label_format, unreadable=[2])
    run = open_labelled_run(tmp_path)
    assert (run.shape, run.class_names, run.source) == ((4, 20, 31), NAMES, "frames.tif")
    assert run.unreadable == {2}
    read = list(run.frames())
    np.testing.assert_array_equal(read, labels)
    assert all(frame.dtype == np.uint8 for frame in read)


@pytest.mark.parametrize("label_format", FORMATS)
def test_a_run_of_one_frame_comes_back(label_format, labels, tmp_path):
    write_run(tmp_path, labels[:1], label_format)
    np.testing.assert_array_equal(list(open_labelled_run(tmp_path).frames()), labels[:1])


def test_frames_can_be_read_more_than_once(labels, tmp_path):
    write_run(tmp_path, labels)
    run = open_labelled_run(tmp_path)
    assert len(list(run.frames())) == len(list(run.frames())) == 4


@pytest.mark.parametrize("label_format", FILES)
def test_a_label_file_cut_short_is_named_on_opening(label_format, labels, tmp_path):
    write_run(tmp_path, labels, label_format)
    file = tmp_path / FILES[label_format]
    file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(ReadError, match=rf"{file.name}.*segment the frames again"):
        open_labelled_run(tmp_path)


@pytest.mark.parametrize("label_format", FORMATS)
def test_a_missing_label_file_is_named_on_opening(label_format, labels, tmp_path):
    write_run(tmp_path, labels, label_format)
    stored = {**FILES, "png": "labels", "zarr": "labels.zarr"}[label_format]
    (tmp_path / stored).rename(tmp_path / "elsewhere")
    with pytest.raises(ReadError, match=r"labels.*segment the frames again"):
        open_labelled_run(tmp_path)


def test_a_missing_picture_is_named_when_it_is_reached(labels, tmp_path):
    write_run(tmp_path, labels, "png", unreadable=[2])
    (tmp_path / "labels" / "00001.png").unlink()
    frames = open_labelled_run(tmp_path).frames()
    next(frames)
    with pytest.raises(ReadError, match=r"00001\.png"):
        next(frames)


def test_a_damaged_picture_is_named_when_it_is_reached(labels, tmp_path):
    write_run(tmp_path, labels, "png", unreadable=[2])
    (tmp_path / "labels" / "00000.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ReadError, match=r"00000\.png"):
        next(open_labelled_run(tmp_path).frames())


def test_a_picture_of_another_size_is_refused(labels, tmp_path):
    write_run(tmp_path, labels, "png", unreadable=[2], shape=[4, 20, 30])
    with pytest.raises(ReadError, match=r"they are 4 x 20 x 31 uint8.*4 x 20 x 30"):
        next(open_labelled_run(tmp_path).frames())


def test_label_maps_that_are_not_those_of_the_record_are_refused(labels, tmp_path):
    write_run(tmp_path, labels, shape=[5, 20, 31])
    with pytest.raises(ReadError, match=r"they are 4 x 20 x 31 uint8.*5 x 20 x 31"):
        open_labelled_run(tmp_path)


def test_label_maps_of_another_dtype_are_refused(labels, tmp_path):
    write_run(tmp_path, labels)
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    with pytest.raises(ReadError, match="uint16"):
        open_labelled_run(tmp_path)


def test_a_class_that_the_run_does_not_have_is_refused(labels, tmp_path):
    labels[1, 5, 5] = 3
    write_run(tmp_path, labels)
    with pytest.raises(ReadError, match="frame 1 hold 3, which is no class"):
        list(open_labelled_run(tmp_path).frames())


def test_hdf5_without_the_dataset_is_refused(labels, tmp_path):
    write_run(tmp_path, labels, "hdf5")
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["other"] = labels
    with pytest.raises(ReadError, match=r"labels\.h5"):
        open_labelled_run(tmp_path)


def test_an_unfinished_run_says_how_to_go_on(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    with pytest.raises(ReadError, match=r"is not finished; give the same amseg segment command"):
        open_labelled_run(tmp_path)


def test_a_folder_of_several_runs_names_them(labels, tmp_path):
    for name in ("b", "a"):
        write_run(tmp_path / name, labels)
    with pytest.raises(ReadError, match="holds the results of 2 stacks, give the folder of one: a"):
        open_labelled_run(tmp_path)


def test_any_other_folder_is_no_result(tmp_path):
    with pytest.raises(ReadError, match=r"is no result of amseg segment"):
        open_labelled_run(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"shape": 3, "class_names": [], "source": ""}'])
def test_a_damaged_record_is_named(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ReadError, match=r"run\.json: is .*segment the frames again"):
        open_labelled_run(tmp_path)


@pytest.mark.parametrize("key", ["shape", "class_names", "source", "label_format"])
def test_a_record_without_what_is_needed_is_named(key, labels, tmp_path):
    write_run(tmp_path, labels)
    record = json.loads((tmp_path / "run.json").read_text())
    del record[key]
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ReadError, match=rf"run\.json: is no record .*{key}"):
        open_labelled_run(tmp_path)
