"""Oscillation of the keyhole: known frequencies, noise, gaps, and what is too short."""

import numpy as np
import pytest
from scipy.signal import welch

from amseg_keras.quantify.dynamics.fluctuation import oscillation_spectrum
from amseg_keras.simulate.process import move_keyhole

RATE_HZ = 40_000.0


def wave(rng, frequency_hz, frames=400, noise=1.0):
    """A depth of about 100 px that swings by 1 px."""
    turns = frequency_hz * np.arange(frames) / RATE_HZ + rng.random()
    return 100 + np.sin(2 * np.pi * turns) + rng.normal(0, noise, frames)


@pytest.mark.parametrize("frequency_hz", [1_000.0, 2_500.0, 6_180.0, 10_000.0, 17_000.0])
def test_a_wave_in_noise_is_found_within_the_resolution(frequency_hz):
    found = oscillation_spectrum(wave(np.random.default_rng(1), frequency_hz), RATE_HZ)
    resolution = found.frequency_hz[1] - found.frequency_hz[0]
    assert resolution <= 210
    assert found.peak_hz == pytest.approx(frequency_hz, abs=resolution)


def test_a_wave_is_found_though_frames_are_missing_and_the_laser_starts_late():
    rng = np.random.default_rng(2)
    depth = wave(rng, 5_000.0, 500)
    depth[rng.random(500) < 0.2] = np.nan
    depth[:60] = 0
    depth[60:75] *= np.linspace(0.2, 1, 15)
    depth[470:] = 0
    found = oscillation_spectrum(depth, RATE_HZ)
    resolution = found.frequency_hz[0]
    assert found.peak_hz == pytest.approx(5_000.0, abs=resolution)


def test_power_is_that_of_welch_where_nothing_is_missing():
    rng = np.random.default_rng(3)
    depth = 50 + rng.normal(0, 1, 300)
    # At its median from the first frame on, so that nothing is cut off.
    depth[0] = 50.5
    found = oscillation_spectrum(depth, RATE_HZ)
    frequency, power = welch(depth, RATE_HZ, "hann", 150, 75, detrend="linear")
    np.testing.assert_allclose(found.frequency_hz, frequency[1:-1])
    np.testing.assert_allclose(found.power, power[1:-1], rtol=1e-8)


def test_white_noise_has_no_peak():
    rng = np.random.default_rng(4)
    peaks = [oscillation_spectrum(9 + rng.normal(0, 1, 300), RATE_HZ).peak_hz for _ in range(50)]
    assert sum(peak is not None for peak in peaks) <= 2


def test_a_random_walk_has_no_peak_though_its_power_is_uneven():
    rng = np.random.default_rng(5)
    walks = 1000 + np.cumsum(rng.normal(0, 1, (50, 300)), axis=1)
    peaks = [oscillation_spectrum(walk, RATE_HZ).peak_hz for walk in walks]
    assert sum(peak is not None for peak in peaks) <= 2


def test_simulated_keyholes_oscillate_as_they_were_told():
    rng = np.random.default_rng(6)
    ratios = []
    for frequency_hz in rng.uniform(2_500, 10_000, 30):
        depth = np.round(40 * move_keyhole(rng, 400, 6.0, frequency_hz / RATE_HZ).depth)
        peak = oscillation_spectrum(depth, RATE_HZ).peak_hz
        if peak is not None:
            ratios.append(peak / frequency_hz)
    assert len(ratios) >= 15
    assert np.median(ratios) == pytest.approx(1, abs=0.06)
    assert np.mean(np.abs(np.array(ratios) - 1) < 0.25) >= 0.9


@pytest.mark.parametrize(
    "depth",
    [[], [np.nan] * 50, [0.0] * 50, 100 + 9 * np.sin(np.arange(31.0))],
    ids=["no frames", "missing", "no keyhole", "short"],
)
def test_what_is_too_short_has_no_spectrum(depth):
    found = oscillation_spectrum(depth, RATE_HZ)
    assert len(found.frequency_hz) == len(found.power) == 0
    assert found.peak_hz is None


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_a_keyhole_that_stands_still_or_creeps_has_no_peak(slope):
    found = oscillation_spectrum(30 + slope * np.arange(200), RATE_HZ)
    assert len(found.power) > 0
    assert found.peak_hz is None


def test_recordings_of_which_most_is_missing_have_no_spectrum():
    depth = np.full(2_000, np.nan)
    depth[::40] = 100 + np.random.default_rng(7).normal(0, 1, 50)
    assert len(oscillation_spectrum(depth, RATE_HZ).power) == 0
