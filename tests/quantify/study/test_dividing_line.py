"""The dividing line against scikit-learn and scipy themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from amseg_keras.quantify.study import describe_plane, dividing_line


@pytest.fixture
def table():
    """Two overlapping groups in columns of very different size."""
    rng = np.random.default_rng(5)
    has_pores = rng.random(80) < 0.4
    delta = rng.normal(0.2, 0.06, 80) + 0.12 * has_pores
    area = rng.normal(9000, 2500, 80) + 1500 * has_pores
    return pd.DataFrame({"has_pores": has_pores, "delta": delta, "area": area})


def test_log_odds_minimise_the_penalised_likelihood_of_standardised_columns(table):
    line = dividing_line(table, "delta", "area")
    points = table[["delta", "area"]].to_numpy()
    standard = (points - points.mean(axis=0)) / points.std(axis=0)
    sign = np.where(table["has_pores"], 1, -1)

    def loss(parameters):
        margins = sign * (standard @ parameters[:2] + parameters[2])
        return np.logaddexp(0, -margins).sum() + parameters[:2] @ parameters[:2] / 2

    best = minimize(loss, np.zeros(3), tol=1e-10).x
    a, b, c = line.log_odds
    np.testing.assert_allclose(points @ (a, b) + c, standard @ best[:2] + best[2], atol=1e-3)


def test_slope_and_offset_are_the_line_of_even_odds(table):
    line = dividing_line(table, "delta", "area")
    a, b, c = line.log_odds
    for x in (0.0, 0.3):
        y = line.slope * x + line.offset
        assert a * x + b * y + c == pytest.approx(0, abs=1e-9)


def test_accuracy_is_that_of_experiments_which_the_fit_has_not_seen(table):
    line = dividing_line(table, "delta", "area")
    points, has_pores = table[["delta", "area"]].to_numpy(), table["has_pores"].to_numpy()
    shares = []
    for seed in range(4):
        right = np.zeros(80, bool)
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(
            points, has_pores
        ):
            mean, deviation = points[train].mean(axis=0), points[train].std(axis=0)
            fit = LogisticRegression().fit((points[train] - mean) / deviation, has_pores[train])
            right[test] = fit.predict((points[test] - mean) / deviation) == has_pores[test]
        shares.append(right.mean())
    # Other divisions into folds, so the same only up to the scatter of their mean.
    assert line.accuracy == pytest.approx(np.mean(shares), abs=0.02)
    assert line.majority_accuracy == max(has_pores.mean(), 1 - has_pores.mean())
    assert (line.with_pores, line.without_pores) == (has_pores.sum(), (~has_pores).sum())


def test_columns_that_say_nothing_are_no_better_than_the_larger_group():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"has_pores": np.arange(90) % 3 == 0, "x": rng.random(90)})
    line = dividing_line(table.assign(y=rng.random(90)), "x", "y")
    assert line.accuracy <= line.majority_accuracy + 0.02


def test_a_group_of_one_is_an_error_that_says_how_many_there_are(table):
    only = pd.concat((table[table["has_pores"]][:1], table[~table["has_pores"]][:7]))
    with pytest.raises(ValueError, match="1 with and 7 without"):
        dividing_line(only, "delta", "area")


def test_a_plane_of_one_group_has_its_ellipse_and_a_note_and_no_line(table):
    plane = describe_plane(table[table["has_pores"]], "delta", "area", deviations=1.5)
    assert plane.line is None
    assert "0 without" in plane.note
    assert plane.without_pores is None
    assert plane.with_pores.points == plane.experiments == table["has_pores"].sum()
    assert plane.with_pores.deviations == 1.5


def test_experiments_without_a_value_are_in_nothing_of_a_plane(table):
    table.loc[::4, "area"] = np.nan
    plane = describe_plane(table, "delta", "area")
    assert plane.experiments == 60
    assert plane.with_pores.points + plane.without_pores.points == 60
    assert plane.line.with_pores + plane.line.without_pores == 60
