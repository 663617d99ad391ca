"""Size and boundary of drawn melt pools."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.quantify import (
    Scale,
    Surface,
    measure,
    measure_melt_pool,
    melt_pool_boundary,
    substrate_surface,
)

NAMES = ["background", "powder", "substrate", "keyhole", "pore", "melt pool"]
SURFACE = Surface(slope=0.0, offset=29.5)


def plate():
    labels = np.full((120, 200), 2, np.uint8)
    labels[:30] = 0
    return labels


def with_half_ellipse(labels, centre, half_length, depth):
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    inside = ((x - centre) / half_length) ** 2 + ((y - 29.5) / depth) ** 2 <= 1
    labels[inside & (y >= 30)] = 5
    return labels


@given(st.floats(70, 130), st.floats(15, 60), st.floats(10, 70))
def test_half_ellipses_have_their_size_within_a_pixel(centre, half_length, depth):
    pool = measure_melt_pool(with_half_ellipse(plate(), centre, half_length, depth), NAMES, SURFACE)
    assert pool.depth_px == pytest.approx(depth, abs=1.1)
    assert pool.length_px == pytest.approx(2 * half_length, abs=2)
    assert pool.surface_width_px == pytest.approx(2 * half_length, abs=2)
    assert pool.area_px == pytest.approx(math.pi / 2 * half_length * depth, rel=0.08)


def test_the_keyhole_in_the_pool_belongs_to_it():
    labels = with_half_ellipse(plate(), 100, 50, 30)
    whole = measure_melt_pool(labels, NAMES, SURFACE)
    labels[30:55, 110:118] = 3
    assert measure_melt_pool(labels, NAMES, SURFACE) == whole


def test_a_keyhole_without_liquid_is_no_melt_pool():
    labels = plate()
    labels[30:55, 110:118] = 3
    assert measure_melt_pool(labels, NAMES, SURFACE).area_px == 0
    assert melt_pool_boundary(labels, NAMES) is None


def test_liquid_far_from_the_pool_counts_nowhere():
    labels = with_half_ellipse(plate(), 100, 50, 30)
    whole = measure_melt_pool(labels, NAMES, SURFACE)
    labels[100:110, 10:20] = 5
    assert measure_melt_pool(labels, NAMES, SURFACE) == whole


def test_a_pool_below_the_surface_is_closed():
    labels = plate()
    labels[50:60, 60:90] = 5
    pool = measure_melt_pool(labels, NAMES, SURFACE)
    assert (pool.surface_width_px, pool.length_px, pool.depth_px) == (0, 30, 30)


def test_without_a_surface_only_the_area_is_known():
    pool = measure_melt_pool(with_half_ellipse(plate(), 100, 50, 30), NAMES, None)
    assert pool.area_px > 0
    assert math.isnan(pool.depth_px)


def test_the_tail_is_behind_the_laser():
    pool = measure_melt_pool(with_half_ellipse(plate(), 100, 50, 30), NAMES, SURFACE)
    assert pool.tail_x_px(1) == pool.left_x_px < pool.right_x_px == pool.tail_x_px(-1)
    assert math.isnan(pool.tail_x_px(None))


def test_liquid_metal_is_part_of_the_surface_of_the_plate():
    labels = plate()
    labels[30:60, 5:195] = 5
    assert substrate_surface(labels, NAMES) == SURFACE


def test_tables_have_the_melt_pool_of_each_frame_and_the_speed_of_its_tail():
    stack = np.stack([with_half_ellipse(plate(), 60 + 4 * n, 30, 20) for n in range(12)])
    for n, labels in enumerate(stack):
        labels[30:40, 70 + 4 * n : 76 + 4 * n] = 3
    found = measure(stack, NAMES, Scale(2.0, 1000.0))
    row = found.frames.iloc[3]
    assert row["melt_pool_depth_um"] == 2 * row["melt_pool_depth_px"] == pytest.approx(40, abs=2)
    assert row["keyhole_to_melt_pool_depth"] == pytest.approx(0.5, abs=0.05)
    assert found.summary["frames_with_melt_pool"] == 12
    assert found.summary["solidification_front_px_per_frame"] == pytest.approx(4, abs=0.1)
    assert found.summary["solidification_front_mm_per_s"] == pytest.approx(8, abs=0.2)


def test_tables_without_the_class_have_no_column_of_the_melt_pool():
    labels = plate()[None]
    assert not [name for name in measure(labels, NAMES[:5]).frames if "melt_pool" in name]


def test_the_boundary_is_smooth_and_near_the_drawn_one():
    rng = np.random.default_rng(3)
    labels = plate()
    columns = np.arange(40, 160)
    drawn = 60 + 12 * np.sin((columns - 40) / 40)
    for column, row in zip(columns, drawn + rng.normal(0, 1.5, len(columns)), strict=True):
        labels[30 : round(row), column] = 5
    curve = melt_pool_boundary(labels, NAMES)
    np.testing.assert_array_equal(curve.x_px, columns)
    assert np.abs(curve.y_px - (drawn - 0.5)).mean() < 0.6
    assert np.median(curve.sd_px) == pytest.approx(1.5, rel=0.4)


def test_a_pool_that_leaves_the_frame_has_no_boundary_there():
    labels = plate()
    labels[30:, 60:100] = 5
    labels[30:80, 100:140] = 5
    np.testing.assert_array_equal(melt_pool_boundary(labels, NAMES).x_px, np.arange(100, 140))


def test_the_boundary_of_every_frame_is_in_a_table():
    frames = np.stack([with_half_ellipse(plate(), 90 + 4 * index, 40, 25) for index in range(3)])
    frames[1] = plate()
    boundary = measure(frames, NAMES).boundary
    assert boundary["frame"].unique().tolist() == [0, 2]
    first = boundary[boundary["frame"] == 0]
    curve = melt_pool_boundary(frames[0], NAMES)
    np.testing.assert_array_equal(first["x_px"], curve.x_px)
    np.testing.assert_allclose(first["y_px"], curve.y_px)


def test_labels_without_the_class_have_no_table_of_boundaries():
    assert measure(plate()[None], NAMES[:5]).boundary is None


def test_the_medians_are_in_pixels_and_in_micrometres():
    frames = np.stack([with_half_ellipse(plate(), 100, 40, 25)] * 2)
    summary = measure(frames, NAMES, Scale(2.0)).summary
    assert summary["median_melt_pool_depth_um"] == 2 * summary["median_melt_pool_depth_px"]
    assert summary["median_melt_pool_area_um2"] == 4 * summary["median_melt_pool_area_px"]
