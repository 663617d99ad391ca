"""Background division: which frames are the background, and that it streams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stacks import Counting, noisy

from amseg_keras.preprocess import (
    FirstFrames,
    FlatField,
    PreviousFrames,
    divide,
    median_frame,
    transmission,
)
from amseg_keras.read import ReadError


def expected(frames, index, chosen):
    return frames[index] / np.median(frames[chosen].astype(float), axis=0)


@pytest.mark.parametrize(("n", "skip"), [(5, 5), (4, 3), (1, 0), (10, 2)])
def test_a_late_frame_is_divided_by_the_median_of_those_before(n, skip):
    frames = noisy(30)
    chosen = list(range(25 - skip - n, 25 - skip))
    np.testing.assert_allclose(
        PreviousFrames(n, skip).apply(frames)[25], expected(frames, 25, chosen), rtol=1e-5
    )


def test_a_first_frame_takes_the_frames_after_it():
    frames = noisy(30)
    np.testing.assert_allclose(
        PreviousFrames(5, 5).apply(frames)[2], expected(frames, 2, range(8, 13)), rtol=1e-5
    )


@given(
    n=st.integers(1, 12), skip=st.integers(0, 12), more=st.integers(0, 40), where=st.floats(0, 1)
)
def test_every_frame_has_a_background_that_leaves_out_its_neighbours(n, skip, more, where):
    count = 2 * skip + 2 + more
    index = round(where * (count - 1))
    window = PreviousFrames(n, skip).window(index, count)
    assert 1 <= len(window) <= n
    assert 0 <= window.start < window.stop <= count
    assert all(abs(k - index) > skip for k in window)


def test_the_order_of_asking_does_not_matter():
    forwards, at_random = (PreviousFrames(3, 2).apply(noisy(20)) for _ in range(2))
    in_order = [forwards[k] for k in range(20)]
    for k in np.random.default_rng(0).permutation(20):
        np.testing.assert_array_equal(at_random[int(k)], in_order[k])


def test_in_order_every_frame_is_read_about_once():
    frames = Counting(noisy(100))
    background = PreviousFrames(5, 5).apply(frames)
    for k in range(100):
        background[k]
    assert len(frames.read) <= 100 + 3 * (5 + 5)


def test_unreadable_frames_are_left_out_of_the_median():
    frames = noisy(30)
    np.testing.assert_allclose(
        PreviousFrames(5, 5).apply(Counting(frames, broken=(15, 17)))[25],
        expected(frames, 25, [16, 18, 19]),
        rtol=1e-5,
    )  # fmt: skip


def test_an_unreadable_frame_is_an_error_of_its_own_only():
    stack = PreviousFrames(2, 1).apply(Counting(noisy(12), broken=(6,)))
    with pytest.raises(ReadError, match="frame 6 is damaged"):
        stack[6]
    assert np.isfinite(stack[7]).all()


def test_a_frame_whose_background_cannot_be_read_says_so():
    stack = PreviousFrames(2, 1).apply(Counting(noisy(12), broken=(5, 6)))
    with pytest.raises(ReadError, match="none of the 2 frames of its background"):
        stack[8]


def test_too_short_a_stack_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"11 frames are too few .* it needs 12"):
        PreviousFrames(5, 5).apply(noisy(11))


def test_the_first_frames_are_the_same_background_for_all():
    frames = noisy(30)
    np.testing.assert_allclose(
        FirstFrames(8).apply(frames)[20], expected(frames, 20, range(8)), rtol=1e-5
    )


def test_nothing_is_known_where_the_background_is_dark():
    assert divide(np.array([[7.0, 8.0]]), np.array([[0.0, -1.0]])).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    "make", [lambda: PreviousFrames(0), lambda: PreviousFrames(1, -1), lambda: FirstFrames(0)]
)
def test_impossible_numbers_are_refused(make):
    with pytest.raises(ValueError, match="not possible"):
        make()


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
