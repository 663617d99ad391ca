"""Real frames, where they are at hand."""

import numpy as np

from amseg_keras.read import open_stack


def test_aps_frames_are_one_stack(real_data):
    with open_stack(real_data / "aps_ti64_frames") as stack:
        assert stack.name == "aps_ti64_frames"
        assert stack.shape == (25, 400, 1024)
        assert stack.dtype == np.uint16
        assert stack[24].max() < 4096
        assert stack.frame_names is not None
        assert stack.frame_names[9] == "0010.tif"


def test_hpdc_video_has_219_frames(real_data):
    with open_stack(real_data / "hpdc_video_clip.mp4") as stack:
        assert stack.shape == (219, 2160, 1564)
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)
        late, early = stack[200], stack[70]
        np.testing.assert_array_equal(stack[70], early)
        np.testing.assert_array_equal(stack[200], late)


def test_esrf_jpeg_is_one_frame(real_data):
    with open_stack(real_data / "esrf_lpbf.jpg") as stack:
        assert stack.shape == (1, 256, 512)
        assert stack.notes == ()
