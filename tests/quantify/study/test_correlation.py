"""Covariance ellipses and correlation coefficients."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from amseg_keras.quantify.study import correlations, covariance_ellipse


def drawn_ellipse(ellipse, angles):
    """Points of the ellipse as Matplotlib draws it, `(angles, 2)`."""
    long, short = ellipse.half_axes
    turn = np.deg2rad(ellipse.angle_deg)
    u, v = long * np.cos(angles), short * np.sin(angles)
    x = ellipse.x + u * np.cos(turn) - v * np.sin(turn)
    return np.stack((x, ellipse.y + u * np.sin(turn) + v * np.cos(turn)), axis=1)


@given(
    seed=st.integers(0, 10_000),
    spread=st.tuples(st.floats(0.1, 100), st.floats(0.1, 100)),
    turn=st.floats(-np.pi, np.pi),
    deviations=st.floats(0.5, 3),
)
def test_every_point_of_the_ellipse_has_the_mahalanobis_distance_of_its_deviations(
    seed, spread, turn, deviations
):
    rotation = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    points = np.random.default_rng(seed).normal(0, spread, (20, 2)) @ np.transpose(rotation) + 5
    ellipse = covariance_ellipse(points[:, 0], points[:, 1], deviations)
    assert ellipse.half_axes[0] >= ellipse.half_axes[1]
    assert -90 <= ellipse.angle_deg <= 90
    away = drawn_ellipse(ellipse, np.linspace(0, 6, 9)) - points.mean(axis=0)
    inverse = np.linalg.inv(np.cov(points.T))
    distances = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away))
    np.testing.assert_allclose(distances, deviations, rtol=1e-6)


def test_the_angle_counts_from_x_towards_y():
    rising = covariance_ellipse(np.array([0.0, 1, 2, 3]), np.array([0.0, 1, 2, 3.01]))
    falling = covariance_ellipse(np.array([0.0, 1, 2, 3]), np.array([0.0, -1, -2, -3.01]))
    assert rising.angle_deg == pytest.approx(45, abs=0.2)
    assert falling.angle_deg == pytest.approx(-45, abs=0.2)
    assert rising.half_axes[1] == pytest.approx(0, abs=0.01)


def test_points_without_a_value_are_left_out_and_two_are_too_few():
    nan = np.nan
    ellipse = covariance_ellipse([0.0, 2, nan, 1], [0.0, 2, 1, 3])
    assert (ellipse.points, ellipse.x) == (3, 1.0)
    with pytest.raises(ValueError, match="at least 3 points, not 2"):
        covariance_ellipse([0.0, 2, nan], [0.0, 2, 1])


def test_coefficients_are_those_of_the_definitions():
    rng = np.random.default_rng(3)
    delta = rng.random(30)
    pores = rng.poisson(4 * delta)
    table = pd.DataFrame({"delta": delta, "pores": pores, "has_pores": pores > 0})
    found = correlations(table, ["delta"], ["pores", "has_pores"]).set_index("pores")
    for name in ("pores", "has_pores"):
        values = table[name].astype(float)
        r = np.corrcoef(delta, values)[0, 1]
        rho = np.corrcoef(stats.rankdata(delta), stats.rankdata(values))[0, 1]
        # Two-sided p-value of r from Student's t with n - 2 degrees of freedom.
        t = r * np.sqrt(28 / (1 - r**2))
        assert found.loc[name, "pearson"] == pytest.approx(r)
        assert found.loc[name, "spearman"] == pytest.approx(rho)
        assert found.loc[name, "pearson_p"] == pytest.approx(2 * stats.t.sf(abs(t), 28))


def test_what_cannot_be_correlated_is_nan():
    nan = np.nan
    table = pd.DataFrame(
        {"delta": [0.1, 0.2, 0.3, nan], "never": False, "few": [1.0, nan, 2.0, 3.0]}
    )
    found = correlations(table, ["delta"], ["never", "few"])
    assert found["experiments"].tolist() == [3, 2]
    assert found[["pearson", "spearman"]].isna().all(axis=None)
