import numpy as np
import pytest
from PIL import Image

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets import open_dataset
from amseg_keras.read import ReadError


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
