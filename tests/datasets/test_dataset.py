"""None"""

import json

import numpy as np
import pytest
from PIL import Image

from amseg_keras.classes import CLASS_NAMES
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


def save(path, ids=(0, 1)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.resize(np.array(ids, np.uint8), (4, 6))
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/{}.png", "labels/{}.png"),
        ("images/{}.tif", "labels/{}.png"),
        ("images/{}.png", "masks/{}_mask.png"),
        ("Images/{}.png", "Annotations/{}_labels.tif"),
        ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
        ("{}.png", "{}_mask.png"),
        ("images/{}.png", "images/{}_label.png"),
        ("{}.png", "labels/{}.png"),
    ],
)
def test_names_that_match_make_a_data_set(tmp_path, image, label):
    for name in ("run_07", "run_08", "plate_2"):
        save(tmp_path / image.format(name))
        save(tmp_path / label.format(name))
    data = open_dataset(tmp_path)
    assert {f.image: f.label for f in data.frames} == {
        image.format(name): label.format(name) for name in ("run_07", "run_08", "plate_2")
    }
    assert {name: [f.frame for f in fs] for name, fs in data.sequences().items()} == {
        "run": [7, 8],
        "plate_2": [2],
    }
    assert data.class_names == CLASS_NAMES
    assert "dataset.json" in data.assumed[0]
    assert any("paper" in sentence for sentence in data.assumed)
    assert "2 sequences" in data.assumed[-1]


def test_ids_beyond_the_papers_get_numbers_for_names(tmp_path):
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "labels" / "a.png", (0, 6, 255))
    data = open_dataset(tmp_path)
    assert data.class_names == tuple(f"class_{k}" for k in range(7))
    assert any("no names" in sentence for sentence in data.assumed)


def test_a_binary_mask_is_not_silently_ignored(tmp_path):
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "labels" / "a.png", (0, 255))
    assert any("0 and 255" in sentence for sentence in open_dataset(tmp_path).assumed)


def test_what_has_no_partner_is_said(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / "images" / f"{name}.png")
    for name in ("a", "z"):
        save(tmp_path / "labels" / f"{name}.png")
    data = open_dataset(tmp_path)
    said = " ".join(data.assumed)
    assert "2 of 3 images have no label" in said
    assert "1 of 2 labels have no image" in said
    assert [f.label for f in data.frames] == ["labels/a.png", None, None]


def test_a_guessed_data_set_can_be_saved_and_opened(tmp_path):
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "labels" / "a.png")
    guessed = open_dataset(tmp_path)
    guessed.save()
    opened = open_dataset(tmp_path)
    assert (opened.frames, opened.assumed) == (guessed.frames, ())


@pytest.mark.parametrize("files", [[], ["images/a.png"], ["images/a.png", "labels/b.png"]])
def test_nothing_that_matches_is_one_sentence(tmp_path, files):
    for file in files:
        save(tmp_path / file)
    with pytest.raises(ReadError, match="amseg dataset import"):
        open_dataset(tmp_path)
