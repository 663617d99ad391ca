"""Sequences of single files with members that do not fit."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.read import ReadError, open_stack


@pytest.fixture
def folder(tmp_path, frames):
    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"{number}.tif", frame)
    return tmp_path


def test_the_rest_goes_on_when_the_first_is_broken(folder, frames):
    (folder / "0.tif").write_text("broken")
    with open_stack(folder) as stack:
        assert stack.shape == frames.shape
        with pytest.raises(ReadError, match=r"0\.tif: cannot be read as TIFF"):
            stack[0]
        np.testing.assert_array_equal(stack[3], frames[3])


def test_a_frame_of_another_size_names_both_sizes(folder, frames):
    tifffile.imwrite(folder / "2.tif", frames[2, :10])
    with open_stack(folder) as stack:
        with pytest.raises(ReadError, match=r"2\.tif: is 10 x 48 .*0\.tif.* is 32 x 48"):
            stack[2]
        np.testing.assert_array_equal(stack[5], frames[5])


def test_a_frame_of_another_dtype_is_an_error(folder, frames):
    tifffile.imwrite(folder / "2.tif", frames[2].astype(np.uint16))
    with open_stack(folder) as stack, pytest.raises(ReadError, match=r"2\.tif: .*uint16.*uint8"):
        stack[2]


def test_a_member_with_several_frames_is_an_error(folder, frames):
    tifffile.imwrite(folder / "2.tif", frames)
    with open_stack(folder) as stack, pytest.raises(ReadError, match="holds 6 frames where"):
        stack[2]


def test_a_member_that_goes_away_is_an_error_of_its_frame(folder):
    with open_stack(folder) as stack:
        (folder / "4.tif").unlink()
        with pytest.raises(ReadError, match=r"4\.tif: no such file"):
            stack[4]


def test_nan_in_a_member_names_file_and_frame(tmp_path):
    for number, value in enumerate((1.0, np.nan)):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.full((4, 5), value, np.float32))
    with open_stack(tmp_path) as stack, pytest.raises(ReadError) as caught:
        stack[1]
    assert str(caught.value).startswith(f"{tmp_path}/1.tif: frame 1 holds 20 values")


def test_when_all_are_broken_opening_fails(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("broken")
    with pytest.raises(ReadError, match="none of its 3 files can be read"):
        open_stack(tmp_path)


def test_colour_is_noted_once(tmp_path, frames):
    for number, frame in enumerate(frames):
        Image.fromarray(np.stack([frame, frame, 255 - frame], axis=-1)).save(
            tmp_path / f"{number}.png"
        )
    with open_stack(tmp_path) as stack:
        list(stack)
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)
