"""Fluctuation of the keyhole, against numbers found by hand."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.quantify.dynamics.fluctuation import fluctuation


def test_deviations_from_the_mean_by_hand():
    # Mean 1000: off by 200, 50, 0, 100, 50.
    found = fluctuation([1200.0, 950.0, 1000.0, 900.0, 950.0])
    np.testing.assert_allclose(found.delta_i, [0.2, 0.05, 0.0, 0.1, 0.05], rtol=1e-15)
    assert found.delta_avg == pytest.approx(0.08, rel=1e-15)
    assert found.delta_max == pytest.approx(0.2, rel=1e-15)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=40))
def test_equals_exact_arithmetic(areas):
    mean = Fraction(sum(areas), len(areas))
    wanted = [abs(area - mean) / mean for area in areas]
    found = fluctuation(np.array(areas))
    np.testing.assert_allclose(found.delta_i, [float(one) for one in wanted], atol=1e-14)
    assert found.delta_avg == pytest.approx(float(sum(wanted) / len(wanted)), abs=1e-14)
    assert found.delta_max == pytest.approx(float(max(wanted)), abs=1e-14)


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_frames_without_a_keyhole_count_nowhere(nothing):
    found = fluctuation(pd.Series([nothing, 80.0, nothing, 120.0], index=[3, 4, 7, 9]))
    np.testing.assert_array_equal(found.delta_i, [np.nan, 0.2, np.nan, 0.2])
    assert found.delta_avg == found.delta_max == 0.2


@pytest.mark.parametrize("values", [[], [0.0, np.nan], [50.0, 0.0]])
def test_fewer_than_two_keyholes_do_not_fluctuate(values):
    found = fluctuation(values)
    assert len(found.delta_i) == len(values)
    assert np.isnan(found.delta_i).all()
    assert np.isnan(found.delta_avg)
    assert np.isnan(found.delta_max)


def test_the_unit_does_not_matter():
    depth = np.array([30.0, 41.0, 35.0])
    pixels, micrometres = fluctuation(depth), fluctuation(depth * 4.31)
    np.testing.assert_allclose(pixels.delta_i, micrometres.delta_i, rtol=1e-13)
