from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.statistics import split_dataset
from amseg_keras.datasets.validate import validate


@pytest.fixture
def good(tmp_path):
    """Four sequences of two frames, split by sequence."""
    rng = np.random.default_rng(0)
    frames = []
    for sequence in "abcd":
        for k in (1, 2):
            image = rng.integers(0, 4000, (6, 8), dtype=np.uint16)
            labels = rng.choice(np.array([0, 1, 255], np.uint8), (6, 8))
            frames.append(
                write_frame(tmp_path, image, labels, LabelledFrame("", None, sequence, k))
            )
    data = split_dataset(Dataset(tmp_path, ("gas", "melt"), tuple(frames)))
    data.save()
    return data


def change(data, number, **changes):
    frames = list(data.frames)
    frames[number] = replace(frames[number], **changes)
    return replace(data, frames=tuple(frames))


def write_label(data, number, ids):
    Image.fromarray(np.asarray(ids, np.uint8)).save(data.folder / data.frames[number].label)


def only(data):
    (fault,) = validate(data)
    assert str(fault) == f"{fault.file}: {fault.problem}; {fault.remedy}"
    return str(fault)


def test_a_good_data_set_has_no_faults(good):
    done = []
    assert validate(open_dataset(good.folder), lambda: done.append(1)) == []
    assert len(done) == 8


def test_an_unreadable_image(good):
    path = good.folder / "images" / "b_00001.tif"
    path.write_bytes(path.read_bytes()[:60])
    assert only(good).startswith("images/b_00001.tif: ")


def test_a_stack_where_a_frame_should_be(good):
    tifffile.imwrite(
        good.folder / "images" / "b_00001.tif", np.zeros((5, 6, 8)), photometric="minisblack"
    )
    assert only(good).startswith("images/b_00001.tif: holds 5 frames")


def test_a_missing_image(good):
    (good.folder / "images" / "b_00001.tif").unlink()
    assert only(good).startswith("images/b_00001.tif: is missing")


def test_a_missing_label(good):
    (good.folder / "labels" / "b_00001.png").unlink()
    assert only(good).startswith("labels/b_00001.png: is missing")


def test_a_frame_without_a_label(good):
    (good.folder / "labels" / "a_00001.png").unlink()
    assert only(change(good, 0, label=None)).startswith("images/a_00001.tif: has no label")


def test_a_size_mismatch(good):
    write_label(good, 3, np.zeros((6, 7)))
    assert "labels/b_00002.png: is 6 rows x 7 columns" in only(good)
    assert "6 rows x 8 columns" in only(good)


def test_unknown_class_ids_with_their_pixels(good):
    ids = np.zeros((6, 8))
    ids[0, :3], ids[1, 0] = 7, 2
    write_label(good, 3, ids)
    assert "labels/b_00002.png: holds the unknown class ids 2 (1 pixels), 7 (3 pixels)" in only(
        good
    )


def split_of(data, split):
    return next(k for k, frame in enumerate(data.frames) if frame.split == split)


def test_duplicates_across_splits_also_in_another_dtype(good):
    train, test = split_of(good, "train"), split_of(good, "test")
    image = good.image(good.frames[train])
    tifffile.imwrite(good.folder / good.frames[test].image, image.astype(np.uint32))
    fault = only(good)
    assert "shows the same pixels as" in fault
    assert good.frames[train].image in fault
    assert good.frames[test].image in fault
    assert "train" in fault
    assert "test" in fault


def test_duplicates_in_one_split_are_none_across_splits(good):
    first, second = good.frames[:2]
    tifffile.imwrite(good.folder / second.image, good.image(first))
    assert first.split == second.split
    assert validate(good) == []


def test_a_sequence_in_two_splits(good):
    number = split_of(good, "train")
    torn = change(good, number, split="test")
    assert f"the sequence {good.frames[number].sequence} is in test and in train" in only(torn)


def test_a_split_by_frame_was_meant(good):
    assert validate(split_dataset(good, "frame")) == []


def test_frames_left_out_of_the_split(good):
    assert "1 frames of the sequence b are in no split" in only(change(good, 2, split=None))


def test_a_label_listed_twice(good):
    twice = change(good, 1, label="labels/a_00001.png")
    faults = [str(fault) for fault in validate(twice)]
    assert faults[0].startswith("labels/a_00001.png: is listed 2 times")
    # Its own label is then listed by nobody.
    assert faults[1].startswith("labels/a_00002.png: is listed by no frame")
    assert len(faults) == 2


def test_an_image_that_nobody_lists(good):
    Image.new("L", (8, 6)).save(good.folder / "images" / "extra.png")
    (good.folder / "images" / ".hidden.png").write_bytes(b"")
    (good.folder / "images" / "readme.txt").write_text("no image")
    assert only(good).startswith("images/extra.png: is listed by no frame")


def test_frames_of_a_sequence_with_different_sizes(good):
    image, labels = np.arange(35, dtype=np.uint16).reshape(5, 7), np.zeros((5, 7))
    frames = [
        write_frame(good.folder, image + k, labels, LabelledFrame("", None, "a", k, split=split))
        for k, split in ((3, good.frames[0].split),)
    ]
    longer = replace(good, frames=(*good.frames, *frames))
    assert only(longer).startswith("images/a_00003.tif: is 5 rows x 7 columns, but its sequence a")


def test_all_faults_are_found_together(good):
    (good.folder / "images" / "a_00001.tif").write_bytes(b"")
    (good.folder / "labels" / "b_00001.png").unlink()
    write_label(good, 3, np.full((6, 8), 9))
    write_label(good, 4, np.zeros((2, 2)))
    assert [fault.file for fault in validate(good)] == [
        "images/a_00001.tif",
        "labels/b_00001.png",
        "labels/b_00002.png",
        "labels/c_00001.png",
    ]
