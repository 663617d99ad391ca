"""Masks that other programs write in ways of their own: the right pixels, or a sentence."""

import base64
import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.datasets.masks import open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.read import ReadError

SIZE = (40, 60)
IDS = ClassIds.of(["background", "keyhole", "pore"])


def write_json(path, document):
    path.write_text(json.dumps(document))
    return path


def labelme(shapes):
    return {"shapes": shapes, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def coco_file(tmp_path, annotations, **more):
    document = {
        "images": [{"id": 0, "file_name": "f.png", "height": SIZE[0], "width": SIZE[1]}],
        "categories": [{"id": 1, "name": "pore"}],
        "annotations": [{"id": k, "category_id": 1, **one} for k, one in enumerate(annotations)],
    }
    return write_json(tmp_path / "coco.json", document | more)


def test_a_coco_box_without_an_outline_is_the_object_and_is_said(tmp_path):
    masks = open_masks(
        coco_file(tmp_path, [{"image_id": 0, "segmentation": [], "bbox": [20, 10, 6, 4]}])
    )
    expected = np.zeros(SIZE, np.uint8)
    expected[10:14, 20:26] = 2
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert masks.notes()[0].startswith("1 annotations have a box and no outline")


def test_coco_ids_as_text_and_as_numbers_are_the_same(tmp_path):
    box = {"segmentation": [[2, 3, 7, 3, 7, 9, 2, 9]]}
    masks = open_masks(coco_file(tmp_path, [{"image_id": "0", **box}]))
    assert int((masks.draw(0, SIZE, IDS) == 2).sum()) == 30


def test_coco_annotations_of_unknown_images_are_named_or_refused(tmp_path):
    box = {"bbox": [0, 0, 2, 2]}
    masks = open_masks(coco_file(tmp_path, [{"image_id": 0, **box}, {"image_id": 9, **box}]))
    assert "1 annotations are of images" in masks.notes()[0]
    with pytest.raises(ReadError, match="all of its 1 annotations are of images that it does not"):
        open_masks(coco_file(tmp_path, [{"image_id": 9, **box}]))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gbk"])
def test_labelme_in_other_encodings_keeps_its_class_names(tmp_path, encoding):
    text = json.dumps(labelme([shape("气孔", [[1, 1], [9, 1], [9, 9]])]), ensure_ascii=False)
    (tmp_path / "f.json").write_bytes(text.encode(encoding))
    masks = open_masks(tmp_path / "f.json")
    assert masks.class_names == ("气孔",)
    assert [("read as GB18030" in note) for note in masks.notes()] == [True] * (encoding == "gbk")


def test_a_labelme_rectangle_may_have_four_corners(tmp_path):
    corners = [[20, 10], [40, 10], [40, 30], [20, 30]]
    masks = open_masks(
        write_json(tmp_path / "f.json", labelme([shape("pore", corners, "rectangle")]))
    )
    expected = np.zeros(SIZE, np.uint8)
    expected[10:30, 20:40] = 2
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)


def test_a_labelme_polygon_of_two_points_has_no_area_and_is_said(tmp_path):
    shapes = [shape("pore", [[20, 10], [40, 10]]), shape("pore", [[0, 0], [2, 4]], "rectangle")]
    masks = open_masks(write_json(tmp_path / "f.json", labelme(shapes)))
    assert int((masks.draw(0, SIZE, IDS) == 2).sum()) == 8
    assert masks.notes() == ["1 LabelMe shapes of type polygon have no area and were left out"]


def test_a_painted_mask_that_reaches_out_is_cut_off_and_said(tmp_path):
    picture = io.BytesIO()
    Image.fromarray(np.full((5, 5), 255, np.uint8)).save(picture, "png")
    mask = base64.b64encode(picture.getvalue()).decode()
    shapes = [shape("pore", [[56, -1], [60, 3]], "mask", mask=mask)]
    masks = open_masks(write_json(tmp_path / "f.json", labelme(shapes)))
    expected = np.zeros(SIZE, np.uint8)
    expected[:4, 56:] = 2
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert "cut off" in masks.notes()[0]


def binary(value=255):
    mask = np.zeros(SIZE, np.uint8)
    mask[10:14, 20:26] = value
    return mask


def test_masks_of_0_and_255_are_the_two_named_classes(tmp_path):
    Image.fromarray(binary()).save(tmp_path / "a.png")
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "b.png")
    masks = open_masks(tmp_path, class_names=["background", "pore"])
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), binary(2))
    assert "0 was taken as background, 255 as pore" in masks.notes()[0]


@pytest.mark.parametrize("names", [None, ["background", "keyhole", "pore"]])
def test_masks_of_0_and_255_without_two_names_are_refused(tmp_path, names):
    Image.fromarray(binary()).save(tmp_path / "a.png")
    with pytest.raises(ReadError, match=r"holds 0 and 255 alone.*--colours"):
        open_masks(tmp_path, class_names=names)


def white_is_zero_png(path):
    picture = Image.fromarray((binary(1) == 0).astype(np.uint8), "P")
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(path)


def white_is_zero_tiff(path):
    tifffile.imwrite(path, binary() == 0, photometric="miniswhite")


@pytest.mark.parametrize(
    ("name", "write"), [("a.png", white_is_zero_png), ("a.tif", white_is_zero_tiff)]
)
def test_white_is_the_object_where_the_file_shows_0_as_white(tmp_path, name, write):
    write(tmp_path / name)
    masks = open_masks(tmp_path / name, class_names=["background", "pore"])
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), binary(2))
    assert "shows 0 as white" in masks.notes()[0]


def test_stored_values_count_in_an_imagej_mask_with_an_inverting_table(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        binary(),
        photometric="miniswhite",
        metadata=None,
        description="ImageJ=1.53t\nmin=0.0\nmax=255.0\n",
    )
    masks = open_masks(tmp_path / "a.tif", class_names=["background", "pore"])
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), binary(2))


def test_a_class_name_that_a_spreadsheet_runs_is_refused(tmp_path):
    path = coco_file(tmp_path, [], categories=[{"id": 1, "name": "=cmd|' /C calc'!A0"}])
    with pytest.raises(ReadError, match="spreadsheets run as a formula"):
        open_masks(path)


def test_a_label_picture_of_another_format_inside_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n")
    with pytest.raises(ReadError, match=r"a\.png: is not one of PNG, BMP, JPEG"):
        open_masks(tmp_path / "a.png", "label-image", ["background", "pore"]).draw(0, SIZE, IDS)
