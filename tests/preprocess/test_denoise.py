"""Denoising, and the noise it goes by."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from stacks import Counting, noisy

from amseg_keras.preprocess import Median, NonLocalMeans, median_filter, noise_sigma
from amseg_keras.read import ReadError


def test_the_median_is_that_of_the_square_around_a_pixel():
    frame = noisy(1)[0]
    assert median_filter(frame)[5, 7] == np.median(frame[4:7, 6:9])


def test_the_median_keeps_the_dtype():
    assert median_filter(noisy(1)[0]).dtype == np.uint16


@pytest.mark.parametrize("correlation_px", [0.01, 0.8])
def test_noise_between_frames_is_found_though_neighbours_share_it(correlation_px):
    rng = np.random.default_rng(0)
    noise = [gaussian_filter(rng.normal(0, 10, (200, 200)), correlation_px) for _ in range(2)]
    sample = np.add.outer(np.arange(200) % 37, np.arange(200) % 23) * 5.0
    found = noise_sigma(sample + noise[0], sample + noise[1])
    assert found == pytest.approx(np.std(noise), rel=0.05)


def test_noise_of_8_bit_frames_is_not_rounded_to_whole_levels():
    rng = np.random.default_rng(0)
    frames = np.rint(rng.normal(100.3, 0.8, (2, 200, 200))).astype(np.uint8)
    assert noise_sigma(*frames.astype(np.float32)) == pytest.approx(0.85, rel=0.15)


def test_a_moving_keyhole_is_not_noise():
    frames = np.random.default_rng(0).normal(100, 3, (2, 100, 100))
    frames[1, 20:45, 30:60] += 80
    assert noise_sigma(*frames) == pytest.approx(3, rel=0.15)


def test_non_local_means_take_noise_and_leave_the_edge():
    rng = np.random.default_rng(0)
    clean = np.where(np.arange(64) < 32, 0.3, 0.7) + np.zeros((64, 1))
    frames = (clean + rng.normal(0, 0.05, (4, 64, 64))).astype(np.float32)
    ready = NonLocalMeans().apply(frames)[1]
    assert np.abs(ready - clean).mean() < 0.4 * np.abs(frames[1] - clean).mean()
    assert ready[:, 32].mean() - ready[:, 31].mean() > 0.35


def test_frames_without_noise_stay_as_they_are():
    frames = np.full((3, 20, 20), 0.5, np.float32)
    np.testing.assert_array_equal(NonLocalMeans().apply(frames)[0], frames[0])


def test_the_noise_of_a_stack_is_found_around_unreadable_frames():
    step = NonLocalMeans().apply(Counting(noisy(6), broken=(0, 1, 2)))
    assert step.measured["sigma"] == pytest.approx(30, rel=0.2)


def test_a_single_frame_has_a_noise_too():
    assert NonLocalMeans().apply(noisy(1, 60, 60)).measured["sigma"] == pytest.approx(30, rel=0.2)


def test_a_stack_without_readable_frames_says_why():
    with pytest.raises(ReadError, match="frame 0 is damaged"):
        NonLocalMeans().apply(Counting(noisy(2), broken=(0, 1)))


@pytest.mark.parametrize("make", [lambda: Median(4), lambda: Median(1), lambda: NonLocalMeans(0)])
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError, match="not possible"):
        make()
