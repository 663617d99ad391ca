"""Intervals of what is measured, and the surface where the grey levels step."""

import numpy as np
import pytest

from amseg_keras.quantify import Scale, measure
from amseg_keras.quantify.geometry.surface import Surface, at_grey_edge
from amseg_keras.quantify.intervals import FrameBounds

NAMES = ("background", "powder", "substrate", "keyhole", "pore")


def drawn(depth, surface=20):
    labels = np.zeros((80, 100), np.uint8)
    labels[surface:] = 2
    if depth:
        labels[surface : surface + depth, 40:50] = 3
    return labels


def bounded(depth, **other):
    return FrameBounds(drawn(depth - 5), drawn(depth + 8), **other)


def test_an_interval_reaches_to_both_bounds_and_a_pixel_further():
    frames = measure(drawn(30)[None], NAMES, Scale(2.0), bounds={0: bounded(30)}).frames
    row = frames.iloc[0]
    assert (row["low_keyhole_depth_px"], row["high_keyhole_depth_px"]) == (24.0, 39.0)
    assert row["high_keyhole_depth_um"] == 78.0
    assert row["low_keyhole_area_px"] < row["keyhole_area_px"] < row["high_keyhole_area_px"]
    assert row["interval_from"] == "network"


def test_a_factor_widens_the_interval_of_its_quantity_alone():
    bounds = {0: bounded(30, factors={"keyhole_depth": 2.0})}
    row = measure(drawn(30)[None], NAMES, bounds=bounds).frames.iloc[0]
    assert (row["low_keyhole_depth_px"], row["high_keyhole_depth_px"]) == (18.0, 48.0)
    assert row["high_keyhole_area_px"] == pytest.approx(380 + np.sqrt(300))


def test_frames_between_have_intervals_and_those_without_a_keyhole_have_none_of_it():
    stack = np.stack([drawn(30), drawn(20), drawn(0), drawn(30)])
    found = measure(stack, NAMES, bounds={0: bounded(30), 3: bounded(30)})
    assert found.frames["interval_from"].tolist() == [
        *("network", "interpolated", "interpolated", "network")
    ]
    assert found.frames["high_keyhole_depth_px"].iloc[1] == 29.0
    assert np.isnan(found.frames["high_keyhole_depth_px"].iloc[2])
    assert found.summary["low_median_keyhole_depth_px"] == 24.0


def test_corrected_labels_have_no_intervals():
    counts = tuple(np.bincount(drawn(30).ravel(), minlength=5).tolist())
    bounds = {0: bounded(30, class_pixels=counts)}
    assert "low_keyhole_depth_px" in measure(drawn(30)[None], NAMES, bounds=bounds).frames
    assert "low_keyhole_depth_px" not in measure(drawn(28)[None], NAMES, bounds=bounds).frames


def test_depth_is_measured_from_the_step_of_the_grey_levels():
    bounds = {0: bounded(30, edge=(0.0, 3.0))}
    row = measure(drawn(30)[None], NAMES, bounds=bounds).frames.iloc[0]
    assert row["keyhole_depth_px"] == 27.0
    assert row["keyhole_area_px"] == 270


@pytest.mark.parametrize("off", [-8, -3, 0, 5])
def test_the_surface_moves_to_a_tilted_step(off):
    rows, columns = np.mgrid[:80, :200]
    frame = np.where(rows > 30 + 0.05 * columns, 400, 900)
    found = at_grey_edge(Surface(0.0, 35 + off), frame, np.zeros((80, 200), np.uint8), NAMES)
    assert found.row(100.0) == pytest.approx(35.3, abs=0.8)
    assert found.slope == pytest.approx(0.05, abs=0.01)


def test_above_powder_no_step_is_looked_for():
    frame = np.where(np.arange(80)[:, None] > 30, 400, 900) + np.zeros((80, 100))
    powder = np.full((80, 100), NAMES.index("powder"), np.uint8)
    assert at_grey_edge(Surface(0.0, 28.0), frame, powder, NAMES) is None


def test_a_melt_pool_has_an_interval_of_its_depth_and_area():
    def with_pool(depth):
        labels = drawn(0)
        labels[20 : 20 + depth, 20:60] = 5
        return labels

    bounds = {0: FrameBounds(with_pool(15), with_pool(28))}
    found = measure(with_pool(20)[None], (*NAMES, "melt pool"), Scale(2.0), bounds=bounds)
    row = found.frames.iloc[0]
    assert (row["low_melt_pool_depth_px"], row["high_melt_pool_depth_px"]) == (14.0, 29.0)
    assert row["low_melt_pool_area_px"] == pytest.approx(600 - np.sqrt(800))
    assert found.summary["high_median_melt_pool_depth_um"] == 58.0
