"""Probabilities that mean what they say, and intervals that cover the truth."""

import numpy as np
import pytest

from amseg_keras.applicability import fit_temperature, reliability, tempered
from amseg_keras.applicability.calibrate import interval_factor


def test_the_temperature_of_a_network_that_is_too_sure_is_found_again():
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([0.6, 0.6, 0.6], 20_000)
    truth = (honest.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    said = tempered(honest, 0.5)
    temperature = fit_temperature(said, truth)
    assert temperature == pytest.approx(2, rel=0.05)
    for sure, right, share in reliability(tempered(said, temperature), truth):
        assert abs(sure - right) < 0.04 or share < 0.01


def test_a_temperature_changes_no_label():
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1, 1], 500)
    same = tempered(probabilities, 3.0).argmax(axis=-1) == probabilities.argmax(axis=-1)
    assert same.all()


def test_intervals_times_the_factor_cover_other_frames_as_often_as_they_say():
    rng = np.random.default_rng(2)
    reach = rng.uniform(1, 4, 4000)
    errors = np.abs(rng.normal(0, 1.7 * reach))
    factor = interval_factor(errors[:2000], reach[:2000])
    assert (errors[2000:] <= factor * reach[2000:]).mean() == pytest.approx(0.9, abs=0.03)
