"""Size, shape and place of pores."""

import numpy as np
import pytest
from drawn_frames import KEYHOLE, NAMES, PLATE, PORE, Drawing, is_close
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label, regionprops

from amseg_keras.classes import IGNORE
from amseg_keras.quantify.geometry.pores import measure_pores
from amseg_keras.quantify.geometry.surface import Surface, substrate_surface


def measured(drawing, **options):
    surface = substrate_surface(drawing.labels, NAMES)
    return measure_pores(drawing.labels, NAMES, surface, **options)


@pytest.mark.parametrize("tilt", [-6.0, 0.0, 1.0, 8.0])
@pytest.mark.parametrize("radius", [4.0, 9.3, 15.0])
def test_a_disc_is_measured_below_a_tilted_surface(tilt, radius):
    drawing = Drawing(tilt_deg=tilt).disc(-25.3, 50.2, radius)
    (pore,) = measured(drawing)
    assert pore.pore_area_px == pytest.approx(np.pi * radius**2, rel=0.05)
    assert is_close(pore.equivalent_diameter_px, 2 * radius)
    assert is_close(pore.depth_px, 50.2)
    assert (pore.x_px, pore.y_px) == pytest.approx(drawing.at(-25.3, 50.2), abs=0.5)
    assert is_close(pore.major_axis_px, 2 * radius)
    assert pore.eccentricity < 0.35
    assert not pore.touches_keyhole
    assert not pore.touches_edge
    surface = substrate_surface(drawing.labels, NAMES)
    assert is_close(surface.depth(pore.lowest_x_px, pore.lowest_y_px), 50.2 + radius)


def test_an_ellipse_has_its_axis_and_eccentricity():
    drawing = Drawing()
    drawing.labels[(drawing.u / 20) ** 2 + ((drawing.v - 50) / 10) ** 2 < 1] = PORE
    (pore,) = measured(drawing)
    assert is_close(pore.major_axis_px, 40)
    assert pore.eccentricity == pytest.approx(np.sqrt(0.75), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(arrays(bool, st.tuples(st.integers(2, 12), st.integers(2, 12))))
def test_pores_are_those_of_skimage(mask):
    found = measure_pores(mask.astype(np.uint8), ["gas", "pore"], None, 1)
    wanted = regionprops(label(mask, connectivity=2))
    assert len(found) == len(wanted)
    for pore, region in zip(found, wanted, strict=True):
        assert pore.pore_area_px == region.area
        assert (pore.y_px, pore.x_px) == pytest.approx(region.centroid)
        assert pore.equivalent_diameter_px == pytest.approx(region.equivalent_diameter_area)
        assert pore.major_axis_px == pytest.approx(region.axis_major_length, abs=1e-6)
        assert pore.eccentricity == pytest.approx(region.eccentricity, abs=1e-6)
        top, left, bottom, right = region.bbox
        at_edge = 0 in (top, left) or bottom == mask.shape[0] or right == mask.shape[1]
        assert pore.touches_edge == at_edge
        assert pore.lowest_y_px == bottom - 0.5


def test_speckles_below_the_limit_are_no_pores():
    drawing = Drawing().disc(0, 40, 6)
    for number, place in enumerate(range(-100, -50, 10), 3):
        drawing.labels[100, 120 + place : 120 + place + number] = PORE
    areas = sorted(pore.pore_area_px for pore in measured(drawing))
    assert areas[:2] == [6, 7]
    assert len(areas) == 3
    assert len(measured(drawing, smallest_px=1)) == 6


def test_pieces_that_meet_at_a_corner_are_one_pore():
    labels = np.full((20, 20), PLATE, np.uint8)
    labels[5:8, 5:8] = PORE
    labels[8:11, 8:11] = PORE
    (pore,) = measure_pores(labels, NAMES, None)
    assert pore.pore_area_px == 18


@pytest.mark.parametrize(
    ("row", "column", "touches"), [(8, 8, True), (8, 5, True), (8, 9, False), (9, 8, False)]
)
def test_a_pore_touches_the_keyhole_also_at_a_corner(row, column, touches):
    labels = np.full((20, 20), PLATE, np.uint8)
    labels[5:8, 5:8] = PORE
    labels[row : row + 3, column : column + 3] = KEYHOLE
    (pore,) = measure_pores(labels, NAMES, None)
    assert pore.touches_keyhole == touches


@pytest.mark.parametrize("side", range(4))
def test_a_pore_at_any_edge_of_the_frame_touches_it(side):
    labels = np.full((20, 20), PLATE, np.uint8)
    labels[8:12, 0:4] = PORE
    labels[8:12, 12:16] = PORE
    pores = measure_pores(np.rot90(labels, side), NAMES, None)
    assert sorted(pore.touches_edge for pore in pores) == [False, True]


def test_without_a_surface_depth_is_nan_and_the_rest_is_known():
    drawing = Drawing().disc(0, 40, 6)
    (pore,) = measure_pores(drawing.labels, NAMES, None)
    (wanted,) = measured(drawing)
    assert np.isnan(pore.depth_px)
    assert pore._replace(depth_px=0) == pytest.approx(wanted._replace(depth_px=0))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (Drawing().labels, NAMES),
        (np.full((30, 40), IGNORE, np.uint8), NAMES),
        (Drawing().disc(0, 40, 6).labels, NAMES[:4]),
        (Drawing().disc(0, 40, 1).labels, NAMES),
    ],
    ids=["none", "ignored", "no such class", "a speckle"],
)
def test_without_pores_there_are_none(labels, names):
    assert measure_pores(labels, names, Surface(0.0, 49.5)) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(-30, 30), st.integers(-80, 80), st.floats(3, 14), st.floats(-5, 5))
def test_shifting_a_frame_moves_pores_and_leaves_sizes(down, right, radius, tilt):
    labels = Drawing(tilt_deg=tilt).disc(0, 30, radius).labels
    surface = substrate_surface(labels, NAMES)
    moved = Surface(surface.slope, surface.offset + down - right * surface.slope)
    (here,) = measure_pores(labels, NAMES, surface)
    (there,) = measure_pores(np.roll(labels, (down, right), (0, 1)), NAMES, moved)
    wanted = here._replace(
        x_px=here.x_px + right,
        y_px=here.y_px + down,
        lowest_x_px=here.lowest_x_px + right,
        lowest_y_px=here.lowest_y_px + down,
    )
    assert there == pytest.approx(wanted)
