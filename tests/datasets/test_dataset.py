import json

import numpy as np
import pytest
from PIL import Image

from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import DATASET_FILE, write_frame
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.read import ReadError


@pytest.fixture
def saved(tmp_path):
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    labels = np.array([[0, 1, 255, 0]] * 3, np.uint8)
    frames = tuple(
        write_frame(tmp_path, image + k, labels, LabelledFrame("", None, "shot", k, power_W=200.0))
        for k in (2, 1)
    )
    data = Dataset(tmp_path, ("gas", "melt"), frames, 4.31, "simulated", {"note": "kept"})
    data.save()
    return data


def test_a_saved_data_set_opens_as_it_was(saved):
    assert open_dataset(saved.folder) == saved


def test_images_and_labels_come_back_exactly(saved):
    first = open_dataset(saved.folder).frames[0]
    np.testing.assert_array_equal(saved.image(first), np.arange(12).reshape(3, 4) + 2)
    assert saved.image(first).dtype == np.uint16
    np.testing.assert_array_equal(saved.labels(first)[0], [0, 1, 255, 0])


def test_sequences_are_in_the_order_of_time(saved):
    assert [frame.frame for frame in saved.sequences()["shot"]] == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "../secret.tif"}, "outside"),
        ({"label": "/etc/passwd"}, "outside"),
        ({"image": None}, 'names no "image"'),
        ({"frame": "one"}, "whole number"),
        ({"power_W": -3}, "power_W"),
        ({"split": "exam"}, "train, validation, test"),
    ],
)
def test_a_wrong_entry_is_named(saved, change, message):
    path = saved.folder / DATASET_FILE
    document = json.loads(path.read_text())
    document["frames"][1] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(ReadError, match=message) as error:
        open_dataset(saved.folder)
    assert "frame 2" in str(error.value)


@pytest.mark.parametrize("names", [None, ["one"], ["a", "a"], [1, 2]])
def test_wrong_class_names_are_refused(saved, names):
    path = saved.folder / DATASET_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"class_names": names}))
    with pytest.raises(ReadError, match="class_names"):
        open_dataset(saved.folder)


def test_a_palette_picture_gives_its_indices(tmp_path):
    picture = Image.fromarray(np.array([[0, 3], [2, 1]], np.uint8), "P")
    picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.save(tmp_path / "labels.png")
    np.testing.assert_array_equal(read_label_image(tmp_path / "labels.png"), [[0, 3], [2, 1]])


def test_a_colour_mask_is_sent_to_import(tmp_path):
    Image.fromarray(np.eye(3, dtype=np.uint8)[None] * 200).save(tmp_path / "labels.png")
    with pytest.raises(ReadError, match="amseg dataset import"):
        read_label_image(tmp_path / "labels.png")


def test_ids_above_255_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 300]], np.uint16)).save(tmp_path / "labels.png")
    with pytest.raises(ReadError, match="300"):
        read_label_image(tmp_path / "labels.png")


@pytest.mark.parametrize("label", [{}, [], 0, False, ""])
def test_a_label_that_is_no_file_name_is_refused(tmp_path, label):
    entry = {"image": "images/a.tif", "label": label}
    document = {"class_names": ["gas", "melt"], "frames": [entry]}
    (tmp_path / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(ReadError, match="is no file name"):
        open_dataset(tmp_path)
