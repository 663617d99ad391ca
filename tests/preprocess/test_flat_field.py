"""Flat field: transmission without inf or NaN, whatever the flats hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from stacks import Counting, noisy

from amseg_keras.preprocess import FlatField, median_frame, transmission
from amseg_keras.read import ReadError


def test_it_is_the_formula_of_the_beamline():
    frame, flat, dark = noisy(3)
    expected = (frame.astype(float) - dark / 4) / np.maximum(flat - dark / 4, 1)
    np.testing.assert_allclose(transmission(frame, flat, dark / 4), expected, rtol=1e-5)


@given(
    frame=arrays(np.uint16, (3, 4)),
    flat=arrays(np.uint16, (3, 4)),
    dark=arrays(np.uint16, (3, 4)),
)
def test_no_counts_make_it_infinite(frame, flat, dark):
    assert np.isfinite(transmission(frame, flat, dark)).all()


@pytest.mark.parametrize("broken", [(), (1,)])
def test_median_frame_is_the_median_of_what_can_be_read(broken):
    frames = noisy(7)
    kept = np.delete(frames, broken, axis=0)
    np.testing.assert_array_equal(
        median_frame(Counting(frames, broken)), np.median(kept, axis=0).astype(np.float32)
    )


def test_many_flats_are_read_in_bands_of_rows(monkeypatch):
    frames = noisy(9, height=13)
    monkeypatch.setattr("amseg_keras.preprocess.background.MAX_MEDIAN_BYTES", 9 * 16 * 2 * 5)
    np.testing.assert_array_equal(median_frame(frames), np.median(frames, axis=0))


def test_a_median_of_unreadable_frames_says_why():
    with pytest.raises(ReadError, match="frame 0 is damaged"):
        median_frame(Counting(noisy(2), broken=(0, 1)))


def test_the_step_gives_the_function_for_every_frame():
    frames, flat = noisy(4), noisy(1, seed=1)[0]
    corrected = FlatField(flat).apply(frames)
    np.testing.assert_array_equal(corrected[2], transmission(frames[2], flat))


def test_a_flat_of_another_size_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"the flat is 8 x 16, but the frames are 12 x 16"):
        FlatField(noisy(1, height=8)[0]).apply(noisy(2))


def test_a_dark_of_another_size_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"the dark is 8 x 16, but the flat is 12 x 16"):
        FlatField(noisy(1)[0], noisy(1, height=8)[0])


def test_flats_that_are_no_counts_are_refused():
    with pytest.raises(ValueError, match="no brighter than the dark"):
        FlatField(np.full((4, 4), 0.9, np.float32))


def test_dead_pixels_are_counted():
    flat = noisy(1)[0]
    flat[3, :5] = 0
    assert FlatField(flat).parameters()["dead_pixels"] == 5
