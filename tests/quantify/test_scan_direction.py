"""The scan direction, from the motion of the keyhole."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.quantify.geometry.keyhole import scan_direction


def table(x, frame=None):
    return pd.DataFrame({"frame": range(len(x)) if frame is None else frame, "keyhole_x_px": x})


@settings(max_examples=50, deadline=None)
@given(st.floats(0.4, 8), st.sampled_from((1, -1)), st.integers(20, 80), st.integers(0, 99))
def test_the_direction_of_motion_is_found_in_spite_of_oscillation(speed, direction, count, seed):
    jitter = np.random.default_rng(seed).normal(0, 1, count)
    x = 200 + direction * speed * np.arange(count) + np.clip(jitter, -1, 1)
    assert scan_direction(table(x)) == direction


def test_keyholes_found_at_the_wrong_place_do_not_matter():
    x = 50 + 2.0 * np.arange(40)
    x[::5] = 300 - 7 * np.arange(8)
    assert scan_direction(table(x)) == 1


def test_frames_without_a_keyhole_do_not_matter():
    x = 300 - 3.0 * np.arange(40)
    x[:10] = x[20:25] = np.nan
    assert scan_direction(table(x)) == -1


def test_missing_frames_are_time_all_the_same():
    assert scan_direction(table([10.0, 11.0, 12.0], [0, 5, 400])) is None
    assert scan_direction(table([10.0, 20.0, 400.0], [0, 5, 195])) == 1


@pytest.mark.parametrize(
    "x",
    [[], [np.nan] * 9, [10.0, 90.0], np.full(50, 88.0), 88 + np.sin(np.arange(60.0))],
    ids=["no frames", "no keyhole", "two frames", "at rest", "oscillating at rest"],
)
def test_without_motion_there_is_no_direction(x):
    assert scan_direction(table(np.array(x, float))) is None


def test_a_long_recording_is_looked_at_all_over():
    x = np.full(5000, 10.0)
    x += np.arange(5000) / 100
    assert scan_direction(table(x)) == 1
