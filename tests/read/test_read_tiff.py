"""TIFF: metadata, colour, odd layouts, damage."""

import logging

import numpy as np
import pytest
import tifffile

from amseg_keras.read import ReadError, ReadOptions, open_stack
from amseg_keras.read.formats.base import upright


def test_imagej_says_pixel_size_and_frame_interval(tmp_path, frames):
    tifffile.imwrite(
        tmp_path / "a.tif",
        frames,
        imagej=True,
        resolution=(1 / 4.31, 1 / 4.31),
        metadata={"axes": "TYX", "unit": "um", "finterval": 25e-6, "fps": 7.0},
    )
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.pixel_size_um == pytest.approx(4.31, rel=1e-4)
        assert stack.frame_rate_hz == pytest.approx(40_000)


@pytest.mark.parametrize("unit", ["inch", "pixel", ""])
def test_imagej_without_a_unit_of_length_says_no_pixel_size(tmp_path, frames, unit):
    tifffile.imwrite(
        tmp_path / "a.tif", frames, imagej=True, resolution=(2, 2), metadata={"unit": unit}
    )
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.pixel_size_um is None


def test_the_playback_speed_of_imagej_is_no_frame_rate(tmp_path, frames):
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata={"axes": "TYX", "fps": 7.0})
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.frame_rate_hz is None


def test_ome_says_pixel_size_and_frame_interval(tmp_path, frames):
    metadata = {"axes": "TYX", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0, "TimeIncrement": 0.02}
    metadata |= {"TimeIncrementUnit": "ms"}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, ome=True, metadata=metadata)
    with open_stack(tmp_path / "a.ome.tif") as stack:
        assert stack.pixel_size_um == 2.0
        assert stack.frame_rate_hz == pytest.approx(50_000)


def test_pixels_that_are_not_square_have_no_size(tmp_path, frames):
    metadata = {"axes": "TYX", "PhysicalSizeX": 2.0, "PhysicalSizeY": 3.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, ome=True, metadata=metadata)
    with open_stack(tmp_path / "a.ome.tif") as stack:
        assert stack.pixel_size_um is None


def test_dots_per_inch_are_no_pixel_size(tmp_path, frames):
    tifffile.imwrite(tmp_path / "a.tif", frames, resolution=(72, 72), resolutionunit="INCH")
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.pixel_size_um is None


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_turns_grey(tmp_path, frames, planar):
    axis = -1 if planar == "contig" else 1
    rgb = np.stack([frames, frames, 255 - frames], axis=axis)
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", planarconfig=planar, metadata=None)
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.shape == frames.shape
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)
        expected = 0.886 * frames[2] + 0.114 * (255.0 - frames[2])
        np.testing.assert_allclose(stack[2], expected, atol=0.5001)


def test_packed_12_bit_is_unpacked(tmp_path):
    stored = np.arange(4096, dtype=np.uint16).reshape(32, 128)
    tifffile.imwrite(tmp_path / "a.tif", _packed_12_bit_page(stored), metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["BitsPerSample"].overwrite(12)
        tiff.pages[0].tags["ImageWidth"].overwrite(128)
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.dtype == np.uint16
        np.testing.assert_array_equal(stack[0], stored)


def _packed_12_bit_page(values: np.ndarray) -> np.ndarray:
    """Two values in three bytes, high bits first: the strip of a 12-bit TIFF as a uint8 page."""
    first, second = values[:, ::2].astype(int), values[:, 1::2].astype(int)
    parts = (first >> 4, (first & 15) << 4 | second >> 8, second & 255)
    return np.stack(parts, axis=-1).reshape(values.shape[0], -1).astype(np.uint8)


def test_a_hyperstack_is_read_page_by_page_with_a_note(tmp_path, frames):
    tifffile.imwrite(
        tmp_path / "a.tif",
        frames.reshape(3, 2, 32, 48),
        imagej=True,
        metadata={"axes": "TZYX"},
    )
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.notes == ("pages taken one after the other as stored (2 slices x 3 frames)",)
        np.testing.assert_array_equal(stack[3], frames[3])


def test_frames_compressed_one_by_one_are_one_stack(tmp_path, frames):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in frames:
            writer.write(frame, compression="zlib")
    with open_stack(tmp_path / "a.tif") as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_a_page_of_another_size_is_an_error_of_that_frame(tmp_path, frames):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(frames[0], metadata=None)
        writer.write(frames[1, :8, :9], metadata=None)
    with open_stack(tmp_path / "a.tif") as stack:
        np.testing.assert_array_equal(stack[0], frames[0])
        with pytest.raises(ReadError, match=r"a\.tif: frame 1 is 8 x 9 .* is 32 x 48"):
            stack[1]


def test_a_strip_that_was_never_written_is_an_error(tmp_path, frames):
    tifffile.imwrite(tmp_path / "a.tif", frames[0], metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["StripByteCounts"].overwrite(0)
    with (
        open_stack(tmp_path / "a.tif") as stack,
        pytest.raises(ReadError, match="frame 0 has no pixels stored"),
    ):
        stack[0]


def test_complex_pixels_are_an_error(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 20), dtype=np.complex64))
    with pytest.raises(ReadError, match=r"a\.tif: holds complex64 values"):
        open_stack(tmp_path / "a.tif")


def test_the_user_still_hears_tifffile_in_other_calls(tmp_path, frames, caplog):
    tifffile.imwrite(tmp_path / "a.tif", frames, metadata=None)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[:-600])
    with pytest.raises(ReadError):
        open_stack(tmp_path / "a.tif")
    assert not caplog.records
    logging.getLogger("tifffile").warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_channels_that_count_as_frames_have_no_frame_rate(tmp_path, frames, kind):
    hyper, path = frames.reshape(3, 2, 32, 48), tmp_path / f"a.{kind}.tif"
    metadata = {"axes": "TCYX", "finterval": 0.5, "TimeIncrement": 0.5}
    tifffile.imwrite(
        path, hyper, imagej=kind == "imagej", photometric="minisblack", metadata=metadata
    )
    with open_stack(path) as stack:
        assert len(stack) == 6
        assert stack.frame_rate_hz is None
        assert any("frame interval in the file was not taken" in note for note in stack.notes)


def test_slices_alone_are_the_points_of_time(tmp_path, frames):
    metadata = {"axes": "ZYX", "finterval": 0.5}
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata=metadata)
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.frame_rate_hz == 2


@pytest.mark.parametrize("turns", [(1, 3, 1, 4, 2, 1), (6, 6, 6, 8, 5, 6)])
def test_each_page_is_turned_by_its_own_orientation(tmp_path, frames, turns):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame, turn in zip(frames, turns, strict=True):
            writer.write(frame, metadata=None, extratags=[(274, 3, 1, turn, False)])
    with open_stack(path) as stack:
        for index, turn in enumerate(turns):
            np.testing.assert_array_equal(stack[index], upright(frames[index], turn))
        assert any("each as its own orientation says" in note for note in stack.notes)
        if turns[0] == 1:
            assert not any("as the orientation in the file says" in note for note in stack.notes)


def test_a_page_on_its_side_among_upright_ones_is_an_error_of_that_frame(tmp_path, frames):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame, turn in zip(frames, (1, 6, 1, 1, 1, 1), strict=True):
            writer.write(frame, metadata=None, extratags=[(274, 3, 1, turn, False)])
    with open_stack(tmp_path / "a.tif") as stack:
        np.testing.assert_array_equal(stack[2], frames[2])
        with pytest.raises(ReadError, match="frame 1 is 48 x 32"):
            stack[1]


def test_pages_of_different_orientation_are_not_regrouped(tmp_path, frames):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame, turn in zip(frames, (1, 3, 1, 1, 1, 1), strict=True):
            writer.write(frame, metadata=None, extratags=[(274, 3, 1, turn, False)])
    with pytest.raises(ReadError, match="pages of different orientation"):
        open_stack(tmp_path / "a.tif", ReadOptions(axes="TYX"))
