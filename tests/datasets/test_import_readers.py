"""Each reader of masks against a calculation of its own."""

import base64
import io
import json

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from amseg_keras.datasets.masks import open_masks
from amseg_keras.datasets.masks.base import ClassIds, PageName, inside_polygon, match_pages
from amseg_keras.datasets.masks.coco import decode_counts, inside_segmentation
from amseg_keras.datasets.masks.pictures import nearest_colours, read_palette
from amseg_keras.read import ReadError

SIZE = (40, 60)
IDS = ClassIds.of(["background", "keyhole", "pore"])


def write_json(path, document):
    path.write_text(json.dumps(document))
    return path


def labelme(shapes, **more):
    return {"shapes": shapes, "imageHeight": SIZE[0], "imageWidth": SIZE[1], **more}


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def by_winding(points, size):
    """Pixel centres inside a polygon, by the sum of the angles under which its sides are seen."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    corners = [complex(x, y) for x, y in points]
    seen = [corner - (columns + 1j * rows) for corner in corners]
    angle = sum(np.angle(b / a) for a, b in zip(seen, seen[1:] + seen[:1], strict=True))
    return np.abs(angle) > np.pi


corner = st.tuples(st.floats(-5, 65).map(lambda v: v + 0.013), st.floats(-5, 45))


@given(st.tuples(corner, corner, corner))
def test_triangles_hold_the_pixels_whose_centre_is_inside(points):
    (ax, ay), (bx, by), (cx, cy) = points
    if abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) < 1:
        return
    differs = inside_polygon(np.array(points), SIZE) != by_winding(points, SIZE)
    # A centre that lies on a side may fall to either.
    rows, columns = np.nonzero(differs)
    for row, column in zip(rows, columns, strict=True):
        ends = [np.array(p) - (column + 0.5, row + 0.5) for p in points]
        distances = [
            abs(p[0] * q[1] - p[1] * q[0]) / np.hypot(*(p - q))
            for p, q in zip(ends, ends[1:] + ends[:1], strict=True)
        ]
        assert min(distances) < 1e-6


def test_a_rectangle_on_pixel_edges_is_exact():
    found = inside_segmentation([[2, 3, 7, 3, 7, 9, 2, 9]], SIZE)
    expected = np.zeros(SIZE, bool)
    expected[3:9, 2:7] = True
    np.testing.assert_array_equal(found, expected)


def test_labelme_shapes_lie_over_earlier_ones(tmp_path):
    star = [[10.2, 5.1], [30.7, 8.3], [22.4, 33.9], [12.1, 20.6], [5.3, 30.2]]
    part = np.zeros((4, 5), np.uint8)
    part[1:, 2:] = 255
    picture = io.BytesIO()
    Image.fromarray(part).save(picture, "png")
    mask = base64.b64encode(picture.getvalue()).decode()
    shapes = [
        shape("keyhole", star),
        shape("pore", [[40, 30], [20, 10]], "rectangle"),
        shape("background", [[25.5, 15.5], [25.5, 18.6]], "circle"),
        shape("__ignore__", [[50, 1], [53, 3]], "rectangle"),
        shape("pore", [[3, 2], [7, 5]], "mask", mask=mask),
        shape("pore", [[3, 2]], "point"),
    ]
    masks = open_masks(write_json(tmp_path / "f.json", labelme(shapes)))
    assert masks.class_names == ("keyhole", "pore")
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    expected = np.where(by_winding(star, SIZE), 1, 0)
    expected[10:30, 20:40] = 2
    expected[(columns - 25.5) ** 2 + (rows - 15.5) ** 2 <= 3.1**2] = 0
    expected[1:3, 50:53] = 255
    expected[3:6, 5:8] = 2
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert masks.notes() == ["1 LabelMe shapes of type point have no area and were left out"]


def compress(counts):
    """COCO's string of run lengths, written from its definition in maskApi.c."""
    text = ""
    for k, count in enumerate(counts):
        value = count - counts[k - 2] if k > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def runs(mask):
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


@given(st.lists(st.integers(0, 10**7), max_size=30))
def test_compressed_run_lengths_come_back(counts):
    assert decode_counts(compress(counts)) == counts


def test_compressed_run_lengths_are_those_of_pycocotools():
    mask_api = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(3).random(SIZE) < 0.3
    mask[10:30, 20:50] = True
    text = mask_api.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    found = inside_segmentation({"size": list(SIZE), "counts": text}, SIZE)
    np.testing.assert_array_equal(found, mask)


def coco(annotations, **more):
    return {
        "images": [
            {"id": 7, "file_name": "x/b.png", "height": SIZE[0], "width": SIZE[1]},
            {"id": 8, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]},
        ],
        "categories": [{"id": 5, "name": "pore"}, {"id": 2, "name": "keyhole"}],
        "annotations": annotations,
        **more,
    }


def test_coco_polygons_and_both_run_lengths(tmp_path):
    blob = np.random.default_rng(0).random(SIZE) < 0.2
    other = np.zeros(SIZE, bool)
    other[:5] = True
    parts = [[1, 1, 9, 1, 9, 4, 1, 4], [20, 20, 22, 20, 22, 30, 20, 30]]
    annotations = [
        {"image_id": 7, "category_id": 2, "segmentation": {"size": SIZE, "counts": runs(blob)}},
        {
            "image_id": 7,
            "category_id": 5,
            "segmentation": {"size": SIZE, "counts": compress(runs(other))},
        },
        {"image_id": 7, "category_id": 2, "segmentation": parts},
    ]
    masks = open_masks(write_json(tmp_path / "instances.json", coco(annotations)))
    assert masks.class_names == ("keyhole", "pore")
    assert masks.pages == (PageName("b"), PageName("a"))
    expected = np.where(blob, 1, 0)
    expected[:5] = 2
    expected[1:4, 1:9] = 1
    expected[20:30, 20:22] = 1
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert not masks.draw(1, SIZE, IDS).any()


PALETTE = {"background": (0, 0, 0), "keyhole": (84, 19, 82), "pore": (214, 39, 40)}


def test_nearest_colours_are_those_of_all_distances():
    pixels = np.random.default_rng(1).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    colours = np.array(list(PALETTE.values()), float)
    distance = np.sqrt(((pixels[..., None, :] - colours) ** 2).sum(-1))
    expected = np.where(distance.min(-1) <= 60, distance.argmin(-1), 255)
    np.testing.assert_array_equal(nearest_colours(pixels, list(PALETTE.values()), 60), expected)


def test_a_lossy_colour_mask_keeps_its_classes(tmp_path):
    truth = np.zeros(SIZE, np.uint8)
    truth[10:30, 5:25], truth[20:35, 35:55] = 1, 2
    picture = np.array(list(PALETTE.values()), np.uint8)[truth]
    picture[0, 0] = 255, 255, 0
    Image.fromarray(picture).save(tmp_path / "exact.png")
    Image.fromarray(picture).save(tmp_path / "lossy.jpg", quality=90, subsampling=0)
    masks = open_masks(tmp_path, palette=PALETTE)
    expected = truth.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(masks.draw(0, SIZE, IDS), expected)
    assert masks.notes()[0].startswith("1 pixels (0.04%) are farther than 48")
    lossy = masks.draw(1, SIZE, IDS)
    assert (lossy == truth).mean() > 0.99


def test_black_is_background_where_no_colour_says_so(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    masks = open_masks(tmp_path, palette={"pore": (255, 0, 0)})
    assert masks.class_names == ("background", "pore")
    assert not masks.draw(0, SIZE, IDS).any()
    assert "black is background" in masks.notes()[0]


def test_a_palette_is_read_from_text_and_from_json(tmp_path):
    path = write_json(tmp_path / "c.json", {"pore": "#D62728", "keyhole": [84, 19, 82]})
    expected = {"pore": (214, 39, 40), "keyhole": (84, 19, 82)}
    assert read_palette(str(path)) == read_palette("pore=#d62728, keyhole=541352") == expected
    for wrong in ("pore=red", "pore=#000000,gas=#000000", "=#000000", "a=#000000,a=#111111"):
        with pytest.raises(ReadError, match="keyhole=#ff0000"):
            read_palette(wrong)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.float32])
@pytest.mark.parametrize("imagej", [True, False])
def test_a_stack_has_a_mask_on_each_page(tmp_path, dtype, imagej):
    if imagej and dtype in (np.int32, np.int64):
        pytest.skip("ImageJ has no such TIFF")
    ids = np.random.default_rng(0).choice([0, 1, 2, 255], (4, *SIZE)).astype(dtype)
    tifffile.imwrite(tmp_path / "labels.tif", ids, imagej=imagej, photometric="minisblack")
    masks = open_masks(tmp_path / "labels.tif", class_names=("keyhole", "background", "pore"))
    assert len(masks.pages) == 4
    table = np.arange(256)
    table[[0, 1]] = 1, 0
    for k in (2, 0):
        np.testing.assert_array_equal(masks.draw(k, SIZE, IDS), table[ids[k].astype(int)])


def test_pictures_of_ids_without_names_get_them_as_the_guess_does(tmp_path):
    Image.fromarray(np.full(SIZE, 6, np.uint8)).save(tmp_path / "a.png")
    assert open_masks(tmp_path).class_names[-1] == "class_6"


def broken(tmp_path, kind):
    polygon = {"image_id": 7, "id": 1, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 9, 2]]}
    run = {**polygon, "segmentation": {"size": SIZE, "counts": [5, 5]}}
    cut = {**polygon, "segmentation": {"size": SIZE, "counts": "12P"}}
    documents = {
        "text": "no object",
        "other": {"version": 1},
        "two corners": labelme([shape("keyhole", [[1, 1], [2, 2]])]),
        "no points": labelme([{"label": "keyhole"}]),
        "size": {**labelme([]), "imageHeight": 10},
        "polygon": coco([polygon]),
        "run": coco([run]),
        "cut": coco([cut]),
        "category": coco([{**polygon, "category_id": 99}]),
        "images": {"images": 3, "annotations": []},
    }
    return write_json(tmp_path / "broken.json", documents[kind])


@pytest.mark.parametrize(
    "kind",
    [
        *("text", "other", "no points", "size"),
        *("polygon", "run", "cut", "category", "images"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, kind):
    path = broken(tmp_path, kind)
    with pytest.raises(ReadError, match=r"broken\.json") as error:
        open_masks(path).draw(0, SIZE, IDS)
    assert "\n" not in str(error.value)


def test_pictures_that_are_no_ids_say_what_to_give(tmp_path):
    picture = Image.new("RGB", (60, 40))
    ImageDraw.Draw(picture).rectangle((1, 1, 9, 9), fill="red")
    picture.save(tmp_path / "a.png")
    with pytest.raises(ReadError, match="--colours"):
        open_masks(tmp_path)
    picture.save(tmp_path / "a.tif")
    with pytest.raises(ReadError, match="--colours"):
        open_masks(tmp_path / "a.tif")
    picture.convert("L").save(tmp_path / "a.jpg")
    with pytest.raises(ReadError, match="JPEG"):
        open_masks(tmp_path / "a.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="holds no masks"):
        open_masks(tmp_path / "empty")


def test_masks_are_matched_by_name_before_order():
    frames = [PageName("f_1"), PageName("f_2"), PageName("f_3")]
    assert match_pages(frames, [PageName("f_3_mask"), PageName("f_1")]) == ([1, None, 0], [])
    stack = [PageName("labels", k, 3) for k in range(3)]
    found, notes = match_pages(frames, stack)
    assert found == [0, 1, 2]
    assert "matched in order" in notes[0]
    assert match_pages(frames, stack[:2])[0] == [None] * 3
    with pytest.raises(ReadError, match="f_1"):
        match_pages([PageName("f_1"), PageName("f_1")], [PageName("f_1")])
