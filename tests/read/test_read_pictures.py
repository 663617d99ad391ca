"""PNG, JPEG, BMP and video."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from amseg_keras.read import ReadError, open_stack


@pytest.fixture
def colour(frames) -> np.ndarray:
    return np.stack([frames[0], frames[1], frames[2]], axis=-1)


def test_a_16_bit_png_stays_16_bit(tmp_path):
    stored = np.array([[0, 1, 4095], [256, 40000, 65535]], dtype=np.uint16)
    Image.fromarray(stored).save(tmp_path / "a.png")
    with open_stack(tmp_path / "a.png") as stack:
        assert stack.dtype == np.uint16
        np.testing.assert_array_equal(stack[0], stored)


def test_colour_turns_to_luma_with_a_note(tmp_path, colour):
    Image.fromarray(colour).save(tmp_path / "a.png")
    with open_stack(tmp_path / "a.png") as stack:
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)
        luma = colour @ np.array([0.299, 0.587, 0.114])
        assert stack.dtype == np.uint8
        np.testing.assert_allclose(stack[0], luma, atol=0.5001)


def test_equal_channels_are_grey_without_a_note(tmp_path, frames):
    Image.fromarray(frames[0]).convert("RGBA").save(tmp_path / "a.png")
    with open_stack(tmp_path / "a.png") as stack:
        assert stack.notes == ()
        np.testing.assert_array_equal(stack[0], frames[0])


def test_a_16_bit_colour_png_keeps_its_low_bytes(tmp_path):
    grey = np.arange(0, 60000, 100, dtype=np.uint16).reshape(20, 30)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.stack([grey] * 3, axis=-1)))
    with open_stack(tmp_path / "a.png") as stack:
        np.testing.assert_array_equal(stack[0], grey)


def test_a_palette_is_looked_up(tmp_path, frames):
    palette = Image.fromarray(frames[0]).convert("P")
    palette.putpalette([255 - level for level in range(256) for _ in range(3)])
    palette.save(tmp_path / "a.png")
    with open_stack(tmp_path / "a.png") as stack:
        np.testing.assert_array_equal(stack[0], 255 - frames[0])


def test_one_bit_becomes_uint8(tmp_path):
    stored = np.eye(5, dtype=bool)
    Image.fromarray(stored).save(tmp_path / "a.png")
    with open_stack(tmp_path / "a.png") as stack:
        assert stack[0].dtype == stack.dtype == np.uint8
        np.testing.assert_array_equal(stack[0], stored)


def test_dots_per_inch_are_no_pixel_size(tmp_path, frames):
    Image.fromarray(frames[0]).save(tmp_path / "a.png", dpi=(300, 300))
    with open_stack(tmp_path / "a.png") as stack:
        assert stack.pixel_size_um is None


def test_text_named_png_says_so(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(ReadError, match=r"a\.png: is not a PNG, JPEG or BMP image, though its"):
        open_stack(tmp_path / "a.png")


def test_an_animated_png_is_an_error(tmp_path, frames):
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:])
    with pytest.raises(ReadError, match="animated PNG"):
        open_stack(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [
        (".mp4", "libx264", "yuv420p"),
        (".mov", "libx264", "yuv444p"),
        (".mkv", "libx264", "yuv420p"),
        (".mkv", "libvpx", "yuv420p"),
        (".avi", "mpeg4", "yuv420p"),
        (".avi", "mjpeg", "yuvj420p"),
        (".AVI", "rawvideo", "gray"),
    ],
)
def test_frames_in_any_order_are_those_in_sequence(
    tmp_path, frames, save_video, suffix, codec, pixels
):
    many = np.concatenate([frames, frames[::-1], frames, frames[::-1]])
    save_video(tmp_path / f"a{suffix}", many, codec, pixels)
    with open_stack(tmp_path / f"a{suffix}") as stack:
        assert len(stack) == len(many)
        in_order = list(stack)
        for index in np.random.default_rng(0).integers(0, len(many), 30):
            np.testing.assert_array_equal(stack[index], in_order[index])
    differences = np.abs(np.stack(in_order).astype(int) - many).mean(axis=(1, 2))
    assert differences.max() < 25  # each frame is the one that was written, lossy


def test_16_bit_grey_video_stays_16_bit(tmp_path, save_video):
    stored = np.random.default_rng(0).integers(0, 65536, (4, 32, 48)).astype(np.uint16)
    save_video(tmp_path / "a.mkv", stored, "ffv1", "gray16le")
    with open_stack(tmp_path / "a.mkv") as stack:
        assert stack.dtype == np.uint16
        np.testing.assert_array_equal(np.stack(list(stack)), stored)


def test_video_that_is_grey_inside_does_not_claim_colour(tmp_path, frames, save_video):
    save_video(tmp_path / "a.mp4", frames)
    with open_stack(tmp_path / "a.mp4") as stack:
        assert stack.notes == ()


def test_colour_video_is_noted(tmp_path, frames, save_video):
    save_video(tmp_path / "a.mp4", np.stack([frames, frames, 255 - frames], axis=-1))
    with open_stack(tmp_path / "a.mp4") as stack:
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)


def test_playback_speed_is_no_frame_rate(tmp_path, frames, save_video):
    save_video(tmp_path / "a.mp4", frames)
    with open_stack(tmp_path / "a.mp4") as stack:
        assert stack.frame_rate_hz is None


def test_mp4_without_its_index_is_an_error(tmp_path, frames, save_video):
    path = tmp_path / "a.mp4"
    save_video(path, frames)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])
    with pytest.raises(ReadError, match=r"a\.mp4: cannot be read as a video"):
        open_stack(path)
