"""Errors of quantities against those of true labels."""

import numpy as np
import pandas as pd
import pytest

from amseg_keras.quantify.study import error_statistics, frame_errors


def frames(**columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"frame": range(count)} | columns)


def test_errors_are_predicted_minus_truth_and_relative_to_the_truth():
    truth = frames(keyhole_depth_um=[100.0, 200.0], keyhole_depth_px=[25.0, 50.0])
    predicted = frames(keyhole_depth_um=[110.0, 150.0], keyhole_depth_px=[27.5, 37.5])
    errors = frame_errors(predicted, truth, "Ti6Al4V", "shot 1")
    assert errors["unit"].tolist() == ["um", "um"]
    assert errors["error"].tolist() == [10.0, -50.0]
    assert errors["relative_error_percent"].tolist() == [10.0, -25.0]
    assert set(errors["material"] + "/" + errors["sequence"]) == {"Ti6Al4V/shot 1"}


def test_units_are_those_that_both_tables_have():
    truth = frames(pore_area_um2=[400.0], pore_area_px=[25.0])
    errors = frame_errors(frames(pore_area_px=[20.0]), truth, "Al")
    assert errors[["unit", "error"]].values.tolist() == [["px", -5.0]]


def test_frames_with_nothing_to_measure_and_frames_of_one_table_have_no_row():
    truth = frames(keyhole_area_px=[0, 0, 50, 60], pore_area_px=[0, 9, 0, 0])
    predicted = frames(keyhole_area_px=[0, 4, 0], pore_area_px=[0, 9, 0])
    errors = frame_errors(predicted, truth, "Al").set_index(["quantity", "frame"])
    assert errors.index.tolist() == [("keyhole_area", 1), ("keyhole_area", 2), ("pore_area", 1)]
    # Nothing can be relative to 0.
    assert np.isnan(errors.loc[("keyhole_area", 1), "relative_error_percent"])
    assert errors.loc[("keyhole_area", 2), "relative_error_percent"] == -100


def test_statistics_of_each_material_and_of_all():
    rng = np.random.default_rng(1)
    parts = []
    for material, bias in (("Al", 5.0), ("Ti", -3.0)):
        truth = frames(keyhole_area_px=rng.uniform(100, 200, 40))
        off = frames(keyhole_area_px=truth["keyhole_area_px"] + bias + rng.normal(0, 2, 40))
        parts.append(frame_errors(off, truth, material))
    errors = pd.concat(parts)
    found = error_statistics(errors).set_index("material")
    assert found.index.tolist() == ["Al", "Ti", "all"]
    for material in ("Al", "Ti", "all"):
        chosen = errors if material == "all" else errors[errors["material"] == material]
        expected = chosen["error"].describe()
        row = found.loc[material]
        np.testing.assert_allclose(
            row[["frames", "bias", "spread", "lower_quartile", "median", "upper_quartile"]].astype(
                float
            ),
            expected[["count", "mean", "std", "25%", "50%", "75%"]],
        )
        assert row["relative_bias_percent"] == pytest.approx(
            chosen["relative_error_percent"].mean()
        )


def test_missed_and_invented_frames_are_counted_and_unmeasured_ones_do_not_spoil_the_mean():
    truth = frames(keyhole_depth_px=[10.0, 20.0, 0.0, 30.0])
    predicted = frames(keyhole_depth_px=[11.0, 0.0, 5.0, np.nan])
    row = error_statistics(frame_errors(predicted, truth, "Al")).iloc[0]
    assert (row["frames"], row["missed"], row["invented"]) == (4, 2, 1)
    assert row["bias"] == pytest.approx((1 - 20 + 5) / 3)
    assert row["relative_median_percent"] == pytest.approx((10 - 100) / 2)
