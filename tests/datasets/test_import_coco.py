"""Single poor annotations in a COCO file: the rest is read, and each is said with its id."""

import json

import numpy as np
import pytest

from amseg_keras.datasets.masks import open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.read import ReadError

SIZE = (40, 60)
IDS = ClassIds.of(["background", "keyhole", "pore"])
GOOD = {"id": 50, "segmentation": [[2, 3, 7, 3, 7, 9, 2, 9]]}


def coco_file(tmp_path, annotations, **more):
    document = {
        "images": [{"id": 1, "file_name": "f.png", "height": SIZE[0], "width": SIZE[1]}],
        "categories": [{"id": 1, "name": "pore"}],
        "annotations": [{"category_id": 1, "image_id": 1, **one} for one in annotations],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(document | more))
    return path


def drawn(*rectangles):
    expected = np.zeros(SIZE, np.uint8)
    for rows, columns in ((slice(3, 9), slice(2, 7)), *rectangles):
        expected[rows, columns] = 2
    return expected


POOR = {
    "two corners": {"segmentation": [[20, 10, 30, 10]]},
    "one list of two corners": {"segmentation": [20, 10, 30, 10]},
    "an empty polygon": {"segmentation": [[]]},
    "key points alone": {"keypoints": [20, 10, 2], "num_keypoints": 1},
}


@pytest.mark.parametrize("poor", POOR.values(), ids=POOR)
def test_the_box_is_taken_where_an_outline_has_no_area(tmp_path, poor):
    masks = open_masks(coco_file(tmp_path, [GOOD, {"id": 77, "bbox": [20, 10, 6, 4], **poor}]))
    expected = drawn((slice(10, 14), slice(20, 26)))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert masks.notes() == [
        "1 annotations have a box and no outline: the whole box was taken as the object (id 77)"
    ]


@pytest.mark.parametrize("box", [{}, {"bbox": []}, {"bbox": None}, {"bbox": [1, 2, 3]}])
@pytest.mark.parametrize("poor", POOR.values(), ids=POOR)
def test_an_annotation_without_area_and_box_is_left_out_by_its_id(tmp_path, poor, box):
    masks = open_masks(coco_file(tmp_path, [{"id": 77, **poor, **box}, GOOD]))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), drawn())
    assert masks.notes() == [
        "1 annotations have neither an outline with an area nor a box and were left out (id 77)"
    ]


@pytest.mark.parametrize(
    "poor",
    [
        {"bbox": [100, 10, 6, 4]},
        {"bbox": [-20, -20, 6, 4]},
        {"bbox": [10, 10, 0, 0]},
        {"segmentation": [[100, 10, 110, 10, 110, 20]]},
    ],
)
def test_an_annotation_outside_the_picture_is_said(tmp_path, poor):
    masks = open_masks(coco_file(tmp_path, [GOOD, {"id": 77, **poor}]))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), drawn())
    assert masks.notes() == [
        "1 annotations cover no pixel of their picture and were left out (id 77)"
    ]


def test_a_part_of_two_corners_leaves_the_other_parts(tmp_path):
    parts = {"id": 77, "segmentation": [[20, 10, 26, 10, 26, 14, 20, 14], [30, 10, 40, 10]]}
    masks = open_masks(coco_file(tmp_path, [GOOD, parts]))
    expected = drawn((slice(10, 14), slice(20, 26)))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert masks.notes()[0].endswith("3 corners in their outline, which were left out (id 77)")


def test_of_many_annotations_the_first_ids_are_listed(tmp_path):
    masks = open_masks(coco_file(tmp_path, [{"id": k} for k in range(8)]))
    masks.draw(0, SIZE, IDS)
    assert masks.notes()[0].startswith("8 annotations have neither")
    assert masks.notes()[0].endswith("(id 0, 1, 2, 3, 4 and 3 more)")


def test_an_annotation_without_an_id_is_named_by_its_place(tmp_path):
    masks = open_masks(coco_file(tmp_path, [GOOD, {}]))
    masks.draw(0, SIZE, IDS)
    assert masks.notes()[0].endswith("(id none, number 2 in the file)")


@pytest.mark.parametrize(
    ("what", "listed"),
    [
        ("images", [{"id": 1, "file_name": "a.png"}, {"id": "1", "file_name": "b.png"}]),
        ("categories", [{"id": 1, "name": "pore"}, {"id": 1.0, "name": "keyhole"}]),
    ],
)
def test_two_of_one_id_are_refused(tmp_path, what, listed):
    with pytest.raises(ReadError, match=rf"coco\.json: lists 2 {what} of the id 1, so that"):
        open_masks(coco_file(tmp_path, [GOOD], **{what: listed}))


def test_ids_and_sizes_that_are_real_numbers_are_whole(tmp_path):
    image = {"id": 1, "file_name": "f.png", "height": 40.0, "width": 60.0}
    real = {**GOOD, "image_id": 1.0, "category_id": 1.0}
    masks = open_masks(coco_file(tmp_path, [real], images=[image]))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), drawn())
    assert masks.notes() == []
