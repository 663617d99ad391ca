"""ImageJ regions: outlines along pixels lose nothing, regions drawn by hand are understood."""

import zipfile

import numpy as np
import pytest
import roifile
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amseg_keras.datasets.masks import ImportOptions, import_masks, open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.datasets.masks.rois import (
    fill_outlines,
    runs_along_pixels,
    trace_pixels,
)
from amseg_keras.read import ReadError
from amseg_keras.report.label_exports import write_rois

NAMES = ("background", "keyhole", "pore")
IDS = ClassIds.of(NAMES)
SMALL = st.tuples(st.integers(1, 9), st.integers(1, 9))


def roi(points, name, **about):
    made = roifile.ImagejRoi.frompoints(points, name=name)
    made.roitype = roifile.ROI_TYPE.POLYGON
    for key, value in about.items():
        setattr(made, key, value)
    return made


def zipped(path, rois):
    with zipfile.ZipFile(path, "w") as archive:
        for number, one in enumerate(rois):
            archive.writestr(f"{number:04}.roi", one.tobytes())
    return path


@given(arrays(bool, SMALL))
def test_outlines_of_any_pixels_fill_to_the_same_pixels(mask):
    outlines = trace_pixels(mask)
    assert runs_along_pixels(outlines)
    np.testing.assert_array_equal(fill_outlines(outlines, mask.shape), mask)


@given(arrays(bool, SMALL), st.integers(-4, 4), st.integers(-4, 4))
def test_outlines_that_reach_out_of_the_picture_are_cut_off(mask, right, down):
    moved = [outline + np.array([right, down]) for outline in trace_pixels(mask)]
    wide = np.pad(mask, 4)
    height, width = mask.shape
    expected = wide[4 - down : 4 - down + height, 4 - right : 4 - right + width]
    np.testing.assert_array_equal(fill_outlines(moved, mask.shape), expected)


@given(labels=arrays(np.uint8, (2, 7, 9), elements=st.sampled_from([0, 1, 2, 255])))
def test_regions_give_the_label_maps_back(labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("rois") / "shot-rois.zip"
    write_rois(path, labels, labels.shape, NAMES)
    if not (labels > 0).any():
        with pytest.raises(ReadError, match="holds no ImageJ regions"):
            open_masks(path)
        return
    masks = open_masks(path)
    for index, expected in enumerate(labels):
        np.testing.assert_array_equal(masks.draw(index, (7, 9), IDS), expected)


def test_regions_drawn_by_hand_find_their_class_and_frame(tmp_path):
    square = np.array([[1, 1], [4, 1], [4, 3], [1, 3]])
    oval = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.OVAL, name="keyhole", position=2, left=0, top=0, right=5, bottom=5
    )
    box = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT, name="pore", position=2, left=6, top=0, right=8, bottom=2
    )
    line = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, name="surface", position=2)
    path = zipped(
        tmp_path / "RoiSet.zip", [roi(square, "0003-pore-2", position=4), oval, box, line]
    )
    masks = open_masks(path)
    assert masks.class_names == ("keyhole", "pore")
    assert [page.page for page in masks.pages] == [1, 3]
    assert masks.notes() == ["1 ImageJ regions of type line have no area and were left out"]
    drawn = masks.draw(1, (6, 9), IDS)
    assert np.argwhere(drawn == 2).tolist() == [[y, x] for y in (1, 2) for x in (1, 2, 3)]
    drawn = masks.draw(0, (6, 9), IDS)
    assert ((drawn == 1).sum(), (drawn == 2).sum()) == (21, 4)


def test_regions_are_matched_with_frames_by_their_position(tmp_path):
    tifffile.imwrite(
        tmp_path / "movie.tif", np.zeros((5, 6, 9), np.uint8), photometric="minisblack"
    )
    square = np.array([[1, 1], [4, 1], [4, 3], [1, 3]])
    path = zipped(tmp_path / "RoiSet.zip", [roi(square, "pore", position=4)])
    done = import_masks([tmp_path / "movie.tif"], path, tmp_path / "data", ImportOptions())
    assert [frame.frame for frame in done.data.frames] == [3]
    assert done.data.class_names == ("background", "pore")
    assert any("by their position in the stack" in note for note in done.notes)


def test_a_region_without_a_class_is_named(tmp_path):
    path = zipped(tmp_path / "RoiSet.zip", [roi([[1, 1], [4, 1], [4, 3]], "0012-0033-0120")])
    with pytest.raises(ReadError, match="'0012-0033-0120' does not say its class; rename it"):
        open_masks(path)


def test_what_is_no_archive_of_regions_is_said(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(ReadError, match=r"a\.zip"):
        open_masks(tmp_path / "a.zip")
    zipfile.ZipFile(tmp_path / "b.zip", "w").close()
    with pytest.raises(ReadError, match="holds no ImageJ regions"):
        open_masks(tmp_path / "b.zip")
