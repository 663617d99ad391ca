"""Label maps of whatever kind, found and read alike."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from segmented_runs import write_run

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.read import ReadError, ReadOptions
from amseg_keras.runs.labelled_experiment import find_experiments

LABELS = np.zeros((3, 16, 32), np.uint8)
LABELS[:, 8:] = 2


def only(found):
    experiments, errors = found
    assert errors == []
    (experiment,) = experiments
    return experiment


def test_a_folder_of_segment_says_what_made_the_labels_and_how_large_a_pixel_is(tmp_path):
    found = only(find_experiments([str(write_run(tmp_path / "scan", LABELS))]))
    assert (found.name, found.home) == ("scan", tmp_path / "scan")
    assert (found.pixel_size_um, found.pixel_size_from, found.frame_rate_hz) == (2, "file", 1000)
    assert found.about == {"model": "some-net", "trained_on": "simulated frames"}
    np.testing.assert_array_equal(list(found.frames()), LABELS)


def test_a_pixel_size_that_an_earlier_version_assumed_is_none(tmp_path):
    folder = write_run(tmp_path / "scan", LABELS)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"pixel_size_from": "preset"}))
    found = only(find_experiments([str(folder)]))
    assert (found.pixel_size_um, found.trained_pixel_size_um) == (None, 2)


def test_a_folder_of_several_runs_gives_each(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, LABELS)
    experiments, errors = find_experiments([str(tmp_path)])
    assert [one.name for one in experiments] == ["a", "b"]
    assert errors == []


def test_each_sequence_of_a_data_set_is_an_experiment_with_its_parameters(tmp_path):
    frames = [
        write_frame(
            tmp_path, LABELS[0], LABELS[0], LabelledFrame("", None, name, number, power_W=250.0)
        )
        for name in ("shot 1", "shot 2")
        for number in (4, 6)
    ]
    other = {"frame_rate_hz": 50_000, "sequences": {"shot 1": {"spot_um": 40}}}
    Dataset(tmp_path, CLASS_NAMES, tuple(frames), 2.0, "simulated", other).save()
    (first, second), errors = find_experiments([str(tmp_path)])
    assert errors == []
    assert first.parameters == {"power_W": 250.0, "spot_um": 40}
    assert second.parameters == {"power_W": 250.0}
    assert (first.pixel_size_um, first.frame_rate_hz) == (2.0, 50_000)
    assert first.about == {"origin": "simulated"}


def test_a_frame_that_is_left_out_of_a_sequence_is_unreadable_so_that_times_stay_right(tmp_path):
    frames = [
        write_frame(tmp_path, LABELS[0], LABELS[0], LabelledFrame("", None, "shot", number))
        for number in (4, 6)
    ]
    Dataset(tmp_path, CLASS_NAMES, tuple(frames)).save()
    found = only(find_experiments([str(tmp_path)]))
    there, missing, last = found.frames()
    assert found.count == 3
    assert (missing == IGNORE).all()
    np.testing.assert_array_equal([there, last], LABELS[:2])


def test_bare_label_maps_have_the_classes_that_are_given(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS, photometric="minisblack")
    found = only(find_experiments([str(tmp_path / "labels.tif")], ["gas", "melt", "plate"]))
    assert found.class_names == ("gas", "melt", "plate")
    assert found.home is None
    np.testing.assert_array_equal(list(found.frames()), LABELS)


@pytest.mark.parametrize("value", [5, -1])
def test_frames_given_for_labels_are_refused_by_their_values(tmp_path, value):
    tifffile.imwrite(tmp_path / "frames.tif", np.full((1, 8, 8), value, np.int16))
    found = only(find_experiments([str(tmp_path / "frames.tif")]))
    with pytest.raises(ReadError, match=rf"frame 0 holds the value {value}.*amseg segment"):
        list(found.frames())


def test_grey_levels_that_are_no_whole_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "frames.tif", np.zeros((1, 8, 8), np.float32))
    _, (error,) = find_experiments([str(tmp_path / "frames.tif")])
    assert "holds float32, not whole numbers" in error


def test_what_is_not_there_is_named_and_the_rest_is_found(tmp_path):
    run = write_run(tmp_path / "scan", LABELS)
    experiments, (error,) = find_experiments([str(tmp_path / "nothing"), str(run)])
    assert [one.name for one in experiments] == ["scan"]
    assert "nothing" in error


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-x", "@x", "a\tb", "a\u202eb"])
def test_bare_label_maps_with_a_class_name_that_a_spreadsheet_runs_are_refused(tmp_path, name):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS, photometric="minisblack")
    found, errors = find_experiments([str(tmp_path / "labels.tif")], ("background", "pore", name))
    assert found == []
    assert len(errors) == 1
    assert errors[0].startswith("--classes: names a class ")
    assert errors[0].endswith("; rename it")


def test_label_maps_that_show_0_as_white_are_taken_as_stored_and_said(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS, photometric="miniswhite")
    found = only(find_experiments([str(tmp_path / "labels.tif")]))
    np.testing.assert_array_equal(list(found.frames()), LABELS)
    (note,) = [note for note in found.notes if "0 is white" in note]
    assert "class ids taken as stored, though the file says that 0 is white" in note
    assert not any("repair" in note for note in found.notes)


def test_a_folder_named_with_brackets_in_a_pattern_is_told_how_to_write_it(tmp_path):
    (tmp_path / "[dir]").mkdir()
    tifffile.imwrite(tmp_path / "[dir]" / "a.tif", LABELS, photometric="minisblack")
    found, errors = find_experiments([str(tmp_path / "[dir]" / "*.tif")])
    assert found == []
    assert errors[0].endswith("so write [[] for a [ that is part of a name")
    written = only(find_experiments([str(tmp_path / "[[]dir]" / "*.tif")]))
    np.testing.assert_array_equal(list(written.frames()), LABELS)


MOVING = np.stack([np.roll(LABELS[0], shift, 0) for shift in (0, 5, 0)])
COLOURED = np.moveaxis(MOVING, 0, -1)


@pytest.mark.parametrize("metadata", [{}, None])
def test_three_label_maps_as_planes_of_one_page_are_three_frames(tmp_path, metadata):
    options = {"photometric": "rgb", "planarconfig": "separate", "metadata": metadata}
    tifffile.imwrite(tmp_path / "a.tif", MOVING, **options)
    found = only(find_experiments([str(tmp_path / "a.tif")]))
    np.testing.assert_array_equal(list(found.frames()), MOVING)


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "planes.tif", "a.png"])
def test_class_ids_are_never_mixed_as_colours(tmp_path, name):
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, COLOURED)
    elif name == "a.tif":
        tifffile.imwrite(path, COLOURED, photometric="rgb")
    elif name == "planes.tif":
        options = {"planarconfig": "separate", "metadata": None, "software": "camera"}
        tifffile.imwrite(path, MOVING, photometric="rgb", **options)
    else:
        Image.fromarray(COLOURED).save(path)
    experiments, errors = find_experiments([str(path)])
    with pytest.raises(ReadError, match=rf"{path.name}.*--axes TYX") as raised:
        if errors:
            raise ReadError(errors[0])
        list(only((experiments, errors)).frames())
    assert "class ids" in str(raised.value)


def test_label_maps_along_the_last_axis_are_read_with_axes(tmp_path):
    np.save(tmp_path / "a.npy", COLOURED)
    options = ReadOptions(axes="YXT")
    found = only(find_experiments([str(tmp_path / "a.npy")], reading=options))
    np.testing.assert_array_equal(list(found.frames()), MOVING)


def test_a_grey_picture_of_three_equal_channels_holds_class_ids(tmp_path):
    Image.fromarray(np.stack([LABELS[0]] * 3, axis=-1)).save(tmp_path / "a.png")
    found = only(find_experiments([str(tmp_path / "a.png")]))
    np.testing.assert_array_equal(list(found.frames()), LABELS[:1])


def test_the_indices_of_a_palette_are_the_class_ids(tmp_path):
    picture = Image.fromarray(LABELS[0], mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png")
    found = only(find_experiments([str(tmp_path / "a.png")]))
    np.testing.assert_array_equal(list(found.frames()), LABELS[:1])
