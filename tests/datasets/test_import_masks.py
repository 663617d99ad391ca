"""Masks and frames made into a data set that is complete, or left as it was."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.datasets import LabelledFrame, open_dataset
from amseg_keras.datasets.masks import ImportOptions, import_masks, open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.datasets.validate import validate
from amseg_keras.outputs.files import RECORDS
from amseg_keras.read import ReadError

NAMES = ("background", "keyhole", "pore")


@pytest.fixture
def movie(tmp_path):
    """A TIFF stack of four frames and one of their class ids."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 60000, (4, 12, 16), dtype=np.uint16)
    ids = rng.choice(np.array([0, 1, 2, 255], np.uint8), (4, 12, 16))
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "ids.tif", ids, photometric="minisblack")
    return frames, ids


def options(sequence="", **more):
    about = LabelledFrame("", None, sequence, 0, material="Ti64", power_W=200.0)
    return ImportOptions(class_names=more.pop("class_names", NAMES), about=about, **more)


def tree(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_stack_becomes_single_frames(movie, tmp_path):
    out = tmp_path / "data"
    done = import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    data = open_dataset(out)
    assert data == done.data
    assert (done.frames, data.class_names) == (4, NAMES)
    for k, frame in enumerate(data.frames):
        np.testing.assert_array_equal(data.image(frame), movie[0][k])
        np.testing.assert_array_equal(data.labels(frame), movie[1][k])
        assert (frame.sequence, frame.frame, frame.material) == ("movie", k, "Ti64")
        assert frame.power_W == 200
    assert "in order" in done.notes[0]
    assert validate(data) == []


def test_a_second_import_adds_and_keeps_the_ids(movie, tmp_path):
    out = tmp_path / "data"
    import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    before = tree(out)
    # In these masks 1 is a pore and 2 a keyhole.
    turned = options("second", class_names=("background", "pore", "keyhole"))
    import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, turned)
    data = open_dataset(out)
    assert data.class_names == NAMES
    assert len(data.frames) == 8
    expected = np.array([0, 2, 1] + [255] * 253)[movie[1][0]]
    np.testing.assert_array_equal(data.labels(data.frames[4]), expected)
    after = tree(out)
    kept = [path for path in before if path.name != "dataset.json"]
    assert all(after[path] == before[path] for path in kept)


def write_labelme(tmp_path, label):
    for k in (1, 2):
        Image.fromarray(np.full((12, 16), 40 * k, np.uint8)).save(tmp_path / f"run_{k:02}.png")
    points = [[2, 3], [6, 3], [6, 8], [2, 8]]
    shapes = [{"label": label, "points": points, "shape_type": "polygon"}]
    (tmp_path / "run_02.json").write_text(json.dumps({"shapes": shapes}))


def test_labelme_beside_the_frames_and_frames_without_a_mask(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    write_labelme(folder, "keyhole")
    done = import_masks([folder], folder, tmp_path / "data")
    (frame,) = done.data.frames
    assert (frame.sequence, frame.frame) == ("frames", 2)
    assert done.data.class_names == ("background", "keyhole")
    assert done.data.labels(frame).sum() == 20
    assert done.notes == ("1 frames have no mask and were left out",)


def test_a_new_class_is_appended_only_when_asked(movie, tmp_path):
    out = tmp_path / "data"
    import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    folder = tmp_path / "frames"
    folder.mkdir()
    write_labelme(folder, "crack")
    before = tree(out)
    with pytest.raises(ReadError, match=r"crack: .*--add-classes"):
        import_masks([folder], folder, out)
    assert tree(out) == before
    done = import_masks([folder], folder, out, ImportOptions(add_classes=True))
    assert done.data.class_names == (*NAMES, "crack")
    assert np.unique(done.data.labels(done.data.frames[-1])).tolist() == [0, 3]


def test_a_sequence_that_is_there_is_not_overwritten(movie, tmp_path):
    out = tmp_path / "data"
    import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    before = tree(out)
    with pytest.raises(ReadError, match="has a sequence movie already"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    assert tree(out) == before


def test_a_file_that_nobody_lists_is_not_overwritten(movie, tmp_path):
    out = tmp_path / "data"
    import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    (out / "labels" / "other_00002.png").write_bytes(b"mine")
    before = tree(out)
    with pytest.raises(ReadError, match="other_00002"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options("other"))
    assert tree(out) == before


def test_an_error_in_the_last_mask_leaves_nothing_behind(movie, tmp_path):
    ids = movie[1].copy()
    ids[3, 0, 0] = 77
    tifffile.imwrite(tmp_path / "ids.tif", ids, photometric="minisblack")
    out = tmp_path / "data"
    with pytest.raises(ReadError, match=r"ids\.tif: page 4: holds the class ids 77"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    assert tree(out) == {}


def test_masks_of_another_size_are_named(movie, tmp_path):
    tifffile.imwrite(tmp_path / "ids.tif", movie[1][:, :-1], photometric="minisblack")
    with pytest.raises(ReadError, match=r"ids\.tif: page 1: is 11 rows x 16 columns"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", tmp_path / "d", options())


def test_another_number_of_masks_is_one_sentence(movie, tmp_path):
    tifffile.imwrite(tmp_path / "ids.tif", movie[1][:3], photometric="minisblack")
    with pytest.raises(ReadError, match="holds 3 masks, and none belongs to one of the 4 frames"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", tmp_path / "d", options())


def test_classes_that_the_masks_name_and_the_list_lacks(tmp_path):
    write_labelme(tmp_path, "keyhole")
    wanted = ImportOptions(class_names=("background", "pore"))
    with pytest.raises(ReadError, match="keyhole: named in the masks, but --classes"):
        import_masks([tmp_path], tmp_path, tmp_path / "data", wanted)


def test_several_movies_under_one_name_follow_each_other(movie, tmp_path):
    for name in ("frames", "masks"):
        (tmp_path / name).mkdir()
    for name in ("first", "second"):
        tifffile.imwrite(tmp_path / "frames" / f"{name}.tif", movie[0], photometric="minisblack")
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", movie[1], photometric="minisblack")
    out = tmp_path / "data"
    done = import_masks([tmp_path / "frames"], tmp_path / "masks", out, options("all"))
    assert [frame.frame for frame in done.data.frames] == list(range(8))
    assert done.notes == ()


def test_the_pixel_size_is_kept_where_it_is_another(movie, tmp_path):
    out = tmp_path / "data"
    for sequence, size in (("a", 4.31), ("b", 4.31), ("c", 2.0)):
        wanted = options(sequence)
        wanted = replace(wanted, about=replace(wanted.about, pixel_size_um=size))
        done = import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, wanted)
    assert done.data.pixel_size_um == 4.31
    assert {f.sequence: f.pixel_size_um for f in done.data.frames} == {
        "a": None,
        "b": None,
        "c": 2.0,
    }


FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-x", "@x", "\t=x", "a\tb", "a\u202eb"]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_class_name_that_a_data_set_may_not_have_is_refused_at_the_start(movie, tmp_path, name):
    out = tmp_path / "data"
    wanted = options(class_names=("background", "keyhole", name))
    with pytest.raises(ReadError, match=r"--classes: names a class .*; rename it"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, wanted)
    assert not out.exists()


def test_a_formula_as_the_name_of_a_colour_is_refused_at_the_start(movie, tmp_path):
    wanted = ImportOptions(palette={"background": (0, 0, 0), "@x": (255, 0, 0)})
    with pytest.raises(ReadError, match="--colours: names a class '@x', which spreadsheets run"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", tmp_path / "data", wanted)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("record", [name for name in RECORDS if name != "dataset.json"])
def test_the_result_of_another_command_is_not_written_into(movie, tmp_path, record):
    out = tmp_path / "scan"
    out.mkdir()
    (out / record).write_text("{}")
    before = tree(out)
    with pytest.raises(ReadError, match=rf"scan: holds the result of .*\({record}\); give another"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", out, options())
    assert tree(out) == before
    assert sorted(path.name for path in out.iterdir()) == [record]


def test_the_folder_of_an_unfinished_run_is_not_written_into(movie, tmp_path):
    (tmp_path / "scan" / ".unfinished").mkdir(parents=True)
    with pytest.raises(ReadError, match="scan: holds an unfinished run"):
        import_masks([tmp_path / "movie.tif"], tmp_path / "ids.tif", tmp_path / "scan", options())
    assert [path.name for path in (tmp_path / "scan").iterdir()] == [".unfinished"]


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
