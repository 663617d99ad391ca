"""Label files and overlays, read back with other libraries."""

import json

import av
import h5py
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyRange
from amseg_keras.report.colours import class_colours
from amseg_keras.report.label_files import write_hdf5, write_png, write_tiff
from amseg_keras.report.overlay import movie_picture, overlay, with_legend, write_overlays


@pytest.fixture
def labels():
    maps = np.random.default_rng(0).integers(0, 5, (3, 20, 31)).astype(np.uint8)
    maps[1] = 255
    return maps


def test_label_tiff_is_an_imagej_stack_with_class_names(labels, tmp_path):
    name = write_tiff(tmp_path, iter(labels), labels.shape, CLASS_NAMES)
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.is_imagej
        assert len(file.pages) == 3
        np.testing.assert_array_equal(file.asarray(), labels)
        info = json.loads(file.imagej_metadata["Info"])
    assert tuple(info["class_names"]) == CLASS_NAMES


def test_label_tiff_of_one_frame_reads_back(labels, tmp_path):
    name = write_tiff(tmp_path, iter(labels[:1]), (1, 20, 31), CLASS_NAMES)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / name), labels[0])


def test_label_pngs_are_grey_and_skip_unreadable_frames(labels, tmp_path):
    name = write_png(tmp_path, iter(labels), labels.shape, CLASS_NAMES)
    files = sorted((tmp_path / name).iterdir())
    assert [path.name for path in files] == ["00000.png", "00002.png"]
    with Image.open(files[1]) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), labels[2])


def test_label_hdf5_has_the_class_names_as_attribute(labels, tmp_path):
    name = write_hdf5(tmp_path, iter(labels), labels.shape, CLASS_NAMES)
    with h5py.File(tmp_path / name) as file:
        np.testing.assert_array_equal(file["labels"], labels)
        assert tuple(file["labels"].attrs["class_names"]) == CLASS_NAMES


def test_overlay_mixes_frame_and_class_colour():
    frame = np.array([[0, 100, 200]], np.uint8)
    ids = np.array([[3, 4, 255]], np.uint8)
    picture = overlay(frame, ids, CLASS_NAMES, GreyRange(0, 200, 1.0), opacity=0.5)
    keyhole, pore = class_colours(CLASS_NAMES)[[3, 4]]
    np.testing.assert_allclose(picture[0, 0], 0.5 * keyhole, atol=0.5)
    np.testing.assert_allclose(picture[0, 1], 0.5 * 127.5 + 0.5 * pore, atol=0.5)
    np.testing.assert_array_equal(picture[0, 2], [255, 255, 255])


def test_paper_classes_have_the_colours_of_the_paper():
    colours = class_colours(["keyhole", "pore", "powder"])
    assert [bytes(colour).hex() for colour in colours] == ["541352", "d62728", "ffcf20"]


@given(height=st.integers(1, 40), width=st.integers(1, 700))
@settings(deadline=None, max_examples=30)
def test_legend_keeps_the_picture_and_makes_sides_even(height, width):
    picture = np.full((height, width, 3), 7, np.uint8)
    framed = with_legend(picture, CLASS_NAMES)
    np.testing.assert_array_equal(framed[:height, :width], picture)
    assert framed.shape[0] % 2 == framed.shape[1] % 2 == 0
    assert framed.shape[0] > height


def test_legend_shows_every_class_colour_however_narrow():
    framed = with_legend(np.zeros((4, 60, 3), np.uint8), CLASS_NAMES)
    shown = {tuple(pixel) for pixel in framed[4:].reshape(-1, 3)}
    assert {tuple(colour) for colour in class_colours(CLASS_NAMES)} <= shown


def test_overlays_of_a_stack_become_a_movie_of_as_many_frames(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (7, 40, 600)).astype(np.uint8)
    pairs = ((frame, np.full_like(frame, 3)) for frame in frames)
    written = write_overlays(tmp_path, pairs, CLASS_NAMES, GreyRange(0, 255, 1.0))
    assert written == "overlay.mp4"
    assert iio.imread(tmp_path / "overlay.mp4", plugin="pyav").shape == (7, 60, 600, 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_picture_of_the_movie_has_the_colours_of_the_overlay(dtype):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (64, 600)).astype(dtype)
    labels = np.repeat(rng.integers(0, len(CLASS_NAMES) + 1, (64, 30)), 20, axis=1)
    labels = np.where(labels == len(CLASS_NAMES), 255, labels).astype(np.uint8)
    labels[1::2] = labels[::2]
    levels = GreyRange(0, 255, 1.0)
    made = movie_picture(frame, labels, CLASS_NAMES, levels)
    shown = av.VideoFrame.from_ndarray(made, format="yuv420p").to_ndarray(format="rgb24")
    expected = with_legend(overlay(frame, labels, CLASS_NAMES, levels), CLASS_NAMES)
    assert shown.shape == expected.shape
    # Neighbours share their hue; within a piece of one class nothing else differs.
    inner = (np.arange(600) // 2 % 10 > 2) & (np.arange(600) // 2 % 10 < 7)
    assert np.abs(shown[:64, inner].astype(int) - expected[:64, inner]).max() <= 4


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "frames.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), complete_or_absent(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
