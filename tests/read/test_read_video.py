"""Video: exact count, exact frames at random, grey."""

import numpy as np
import pytest

from amseg_keras.read import ReadError, open_stack


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
