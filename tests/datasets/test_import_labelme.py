"""LabelMe files with shapes that are unusual or poor: the right pixels, and what was left out."""

import json

import numpy as np
import pytest
import tifffile

from amseg_keras.datasets.masks import ImportOptions, import_masks, open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.read import ReadError

SIZE = (60, 60)
IDS = ClassIds.of(["background", "keyhole", "pore"])


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def document(*shapes):
    return {"shapes": list(shapes), "imageHeight": SIZE[0], "imageWidth": SIZE[1]}


def labelme(folder, *shapes, name="f.json"):
    path = folder / name
    path.write_text(json.dumps(document(*shapes)))
    return path


def rectangle():
    expected = np.zeros(SIZE, np.uint8)
    expected[10:40, 10:30] = 2
    return expected


CORNERS = {
    "Z": [[10, 10], [30, 40], [30, 10], [10, 40]],
    "rows": [[10, 10], [30, 10], [10, 40], [30, 40]],
    "three": [[10, 10], [30, 10], [30, 40]],
    "two": [[30, 10], [10, 40]],
}


@pytest.mark.parametrize("corners", CORNERS.values(), ids=CORNERS)
def test_a_rectangle_is_whole_in_whatever_order_its_corners_are(tmp_path, corners):
    masks = open_masks(labelme(tmp_path, shape("pore", corners, "rectangle")))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), rectangle())
    assert masks.notes() == []


@pytest.mark.parametrize("kind", ["rectangle", "rotation"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (2, 0, 3, 1)])
def test_a_turned_rectangle_is_whole_in_whatever_order_its_corners_are(tmp_path, kind, order):
    corners = np.array([[30, 9.9], [50.1, 30], [30, 50.1], [9.9, 30]])[list(order)].tolist()
    masks = open_masks(labelme(tmp_path, shape("pore", corners, kind)))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    expected = np.where(abs(x - 30) + abs(y - 30) < 20.1, 2, 0)
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)


@pytest.mark.parametrize(
    "poor",
    [
        shape("pore", [[1, 1], [5, 5], [9, 9]]),
        shape("pore", [[100, 1], [105, 1], [105, 9]]),
        shape("pore", [[3, 3], [3, 9]], "rectangle"),
    ],
)
def test_a_shape_that_covers_no_pixel_is_said_by_its_place(tmp_path, poor):
    masks = open_masks(labelme(tmp_path, shape("pore", CORNERS["two"], "rectangle"), poor))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), rectangle())
    assert masks.notes() == [
        "1 LabelMe shapes cover no pixel of their picture and were left out (shape f.json: 2)"
    ]


@pytest.mark.parametrize("more", [{}, {"mask": None}, {"mask": ""}])
def test_a_mask_without_a_picture_is_left_out_and_said(tmp_path, more):
    poor = shape("pore", [[1, 1], [5, 5]], "mask", **more)
    masks = open_masks(labelme(tmp_path, shape("pore", CORNERS["two"], "rectangle"), poor))
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), rectangle())
    assert masks.notes() == [
        "1 LabelMe shapes of type mask without a picture have no area and were left out"
    ]


@pytest.fixture
def frame(tmp_path):
    tifffile.imwrite(tmp_path / "f.tif", np.zeros(SIZE, np.uint8), photometric="minisblack")
    return tmp_path / "f.tif"


@pytest.mark.parametrize("shapes", [{"shapes": []}, {"shapes": None}, {}])
def test_a_file_without_shapes_is_all_background(tmp_path, frame, shapes):
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"version": "5", "imagePath": "f.tif", **shapes}))
    options = ImportOptions(class_names=("background", "pore"))
    data = import_masks([frame], path, tmp_path / "data", options).data
    np.testing.assert_array_equal(data.labels(data.frames[0]), np.zeros(SIZE, np.uint8))


def test_files_without_shapes_and_without_known_classes_ask_for_the_classes(tmp_path, frame):
    path = labelme(tmp_path)
    with pytest.raises(ReadError, match=r"name no classes, .*: --classes background,NAME"):
        import_masks([frame], path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_without_a_mark_is_read(tmp_path, encoding):
    text = json.dumps(document(shape("氣孔", CORNERS["Z"])), ensure_ascii=False)
    (tmp_path / "f.json").write_bytes(text.encode(encoding))
    masks = open_masks(tmp_path / "f.json")
    assert (masks.class_names, masks.notes()) == (("氣孔",), [])


@pytest.mark.parametrize(
    ("name", "encoding", "said"),
    [
        *((name, "big5", "BIG5") for name in ("氣孔", "匙孔", "熔池", "背景", "裂紋")),
        *((name, "gbk", "GB18030") for name in ("气孔", "匙孔", "熔池", "背景", "裂纹")),
    ],
)
def test_chinese_class_names_of_old_encodings_are_read_and_said(tmp_path, name, encoding, said):
    text = json.dumps(document(shape(name, CORNERS["Z"])), ensure_ascii=False)
    (tmp_path / "f.json").write_bytes(text.encode(encoding))
    masks = open_masks(tmp_path / "f.json")
    assert masks.class_names == (name,)
    assert f"read as {said};" in masks.notes()[0]
