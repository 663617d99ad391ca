"""Frames as moments."""

import numpy as np
import pytest

from amseg_keras.quantify import Scale
from amseg_keras.report.experiment.look import time_axis


@pytest.mark.parametrize(
    ("frames", "rate", "label", "last"),
    [
        (20, 40_000, "time (µs)", 475.0),
        (60, 40_000, "time (ms)", 1.475),
        (5000, 1000, "time (s)", 4.999),
        (20, None, "frame", 19),
    ],
)
def test_the_unit_suits_the_length_of_the_recording(frames, rate, label, last):
    axis = time_axis(Scale(None, rate), frames)
    assert axis.label == label
    assert axis.at(frames - 1) == pytest.approx(last)


@pytest.mark.parametrize("rate", [7.0, 1000.0, 39_999.0, 504_000.0])
def test_neighbouring_frames_have_different_moments(rate):
    axis = time_axis(Scale(None, rate), 900)
    numbers = [axis.number(frame) for frame in range(900)]
    assert len(set(numbers)) == 900
    np.testing.assert_allclose(np.array(numbers, float), axis.at(np.arange(900)), rtol=0.02)


def test_half_a_frame_is_left_on_each_side():
    start, end = time_axis(Scale(None, 1000.0), 10).limits
    assert (start, end) == (-0.5, 9.5)
