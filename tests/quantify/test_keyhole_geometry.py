"""Size, shape and place of the keyhole."""

import math

import numpy as np
import pytest
from drawn_frames import KEYHOLE, NAMES, PLATE, POWDER, Drawing, is_close, polygon_area
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.classes import IGNORE
from amseg_keras.quantify.geometry.keyhole import Keyhole, measure_keyhole
from amseg_keras.quantify.geometry.surface import Surface, substrate_surface

TILTS = (-7.0, -1.0, 0.0, 0.4, 3.0, 8.0)

TRIANGLE = ((-20.0, 0.0), (20.0, 0.0), (-4.0, 70.0))

# Its front wall is on the right: 20 px back over 60 px of depth. Above the tail it is widest.
J_SHAPE = ((-8, 0), (8, 0), (-12, 60), (-45, 60), (-45, 48), (-24, 48))


def drawn(points, **plate):
    """A keyhole of that outline, drawn open at the top."""
    return Drawing(**plate).polygon(points)


def measured(drawing, **options):
    surface = substrate_surface(drawing.labels, NAMES)
    return measure_keyhole(drawing.labels, NAMES, surface, **options)


def angle_of(top, bottom):
    """Angle between the aperture and a wall of a keyhole that goes to the right."""
    return math.degrees(math.atan2(bottom[1] - top[1], top[0] - bottom[0]))


@pytest.mark.parametrize("tilt", TILTS)
def test_a_triangle_is_measured_below_a_tilted_surface(tilt):
    drawing = drawn(TRIANGLE, tilt_deg=tilt)
    found = measured(drawing)
    assert found.area_px == pytest.approx(polygon_area(TRIANGLE), rel=0.02)
    assert is_close(found.depth_px, 70)
    assert is_close(found.width_px, 40)
    assert is_close(found.aperture_px, 40)
    assert found.aspect_ratio == pytest.approx(70 / 40, rel=0.03)
    assert found.x_px == pytest.approx(drawing.at(0, 0)[0], abs=1)
    tip = drawing.at(-4, 70)
    # Of the sharp end, pixels show no more than depth does.
    assert math.dist((found.tip_x_px, found.tip_y_px), tip) < 0.02 * 70
    right = angle_of(TRIANGLE[1], TRIANGLE[2])
    assert found.front_wall_angle_deg(1) == pytest.approx(right, rel=0.02)
    left = 180 - angle_of(TRIANGLE[0], TRIANGLE[2])
    assert found.front_wall_angle_deg(-1) == pytest.approx(left, rel=0.02)


@pytest.mark.parametrize("tilt", TILTS)
def test_a_j_shape_is_measured_below_a_tilted_surface(tilt):
    drawing = drawn(J_SHAPE, tilt_deg=tilt)
    found = measured(drawing)
    assert found.area_px == pytest.approx(polygon_area(J_SHAPE), rel=0.02)
    assert is_close(found.depth_px, 60)
    assert is_close(found.width_px, -8 - -45)
    assert is_close(found.aperture_px, 16)
    assert found.x_px == pytest.approx(drawing.at(0, 0)[0], abs=1)
    wanted = angle_of(J_SHAPE[1], J_SHAPE[2])
    assert found.front_wall_angle_deg(1) == pytest.approx(wanted, rel=0.02)


def test_the_tip_is_the_middle_of_a_flat_bottom():
    drawing = drawn(((-6, 0), (6, 0), (6, 30), (-6, 30)))
    found = measured(drawing)
    assert (found.tip_x_px, found.tip_y_px) == pytest.approx(drawing.at(0, 30), abs=0.5)


@pytest.mark.parametrize("tilt", TILTS)
def test_the_tip_lies_at_the_depth_below_the_surface(tilt):
    labels = drawn(J_SHAPE, tilt_deg=tilt).labels
    surface = substrate_surface(labels, NAMES)
    found = measure_keyhole(labels, NAMES, surface)
    assert surface.depth(found.tip_x_px, found.tip_y_px) == pytest.approx(found.depth_px)


def test_a_disc_below_the_surface_has_no_aperture_and_its_centre_for_a_place():
    drawing = Drawing(tilt_deg=2.0).disc(15, 40, 12, KEYHOLE)
    found = measured(drawing)
    assert found.aperture_px == 0
    assert found.x_px == pytest.approx(drawing.at(15, 40)[0], abs=0.2)
    assert is_close(found.depth_px, 52)
    assert is_close(found.width_px, 24)
    assert found.area_px == pytest.approx(np.pi * 12**2, rel=0.02)


def test_a_keyhole_that_begins_in_a_dent_is_open():
    drawing = drawn(((-10, 0), (10, 0), (10, 40), (-10, 40)))
    drawing.labels[(drawing.v > 0) & (drawing.v < 3)] = np.where(
        np.abs(drawing.u[(drawing.v > 0) & (drawing.v < 3)]) < 25, 0, PLATE
    )
    found = measured(drawing)
    assert is_close(found.aperture_px, 20)
    assert is_close(found.depth_px, 40)


def test_what_reaches_above_the_surface_counts_only_in_the_area():
    open_top = ((-10, 0), (10, 0), (10, 40), (-10, 40))
    flat, raised = drawn(open_top), drawn(open_top)
    hump = (np.abs(raised.u) < 30) & (raised.v <= 0) & (raised.v > -8)
    raised.labels[hump] = PLATE
    raised.labels[hump & (np.abs(raised.u) < 20)] = KEYHOLE
    low, high = measured(flat), measured(raised)
    assert high.area_px == low.area_px + 40 * 8
    assert is_close(high.depth_px, low.depth_px)
    assert is_close(high.width_px, 20)
    assert is_close(high.aperture_px, 20)


def test_powder_around_the_opening_does_not_matter():
    drawing = drawn(TRIANGLE, tilt_deg=1.0)
    bare = measured(drawing)
    drawing.labels[(drawing.v <= 0) & (drawing.v > -15)] = POWDER
    covered = measured(drawing)
    assert covered == pytest.approx(bare, nan_ok=True)


def test_a_keyhole_in_two_pieces_is_one_down_to_the_lower_tip():
    drawing = drawn(TRIANGLE)
    whole = measured(drawing)
    drawing.labels[(drawing.v > 30) & (drawing.v < 33)] = PLATE
    broken = measured(drawing)
    assert broken.depth_px == whole.depth_px
    assert 0.9 * whole.area_px < broken.area_px < whole.area_px


def test_pieces_far_away_and_speckles_count_nowhere():
    drawing = drawn(TRIANGLE)
    alone = measured(drawing)
    drawing.disc(80, 90, 5, KEYHOLE)
    drawing.disc(-90, 3, 3, KEYHOLE)
    drawing.labels[125:127, 118:120] = KEYHOLE
    assert measured(drawing) == alone


def test_a_keyhole_smaller_than_the_limit_is_none():
    drawing = drawn(((-2, 0), (2, 0), (2, 5), (-2, 5)))
    assert measured(drawing).area_px == 20
    assert measured(drawing, smallest_px=20).area_px == 20
    assert measured(drawing, smallest_px=21).area_px == 0


def test_of_a_shallow_dent_the_wall_is_too_short_for_an_angle():
    found = measured(drawn(((-12, 0), (12, 0), (12, 5), (-12, 5))))
    assert math.isnan(found.front_wall_angle_deg(1))
    assert found.depth_px == 5


def test_without_a_direction_there_is_no_front_wall():
    assert math.isnan(measured(drawn(TRIANGLE)).front_wall_angle_deg(None))


@pytest.mark.parametrize(
    "labels",
    [Drawing().labels, np.full((30, 40), IGNORE, np.uint8)],
    ids=["bare plate", "ignored"],
)
def test_without_a_keyhole_sizes_are_zero_and_places_nan(labels):
    found = measure_keyhole(labels, NAMES, substrate_surface(labels, NAMES))
    assert found == pytest.approx(Keyhole(), nan_ok=True)
    assert found[:4] == (0, 0, 0, 0)
    assert np.isnan(found[4:]).all()


def test_without_the_class_there_is_no_keyhole():
    labels = drawn(TRIANGLE).labels
    found = measure_keyhole(labels, ["background", "substrate"], Surface(0.0, 49.5))
    assert found.area_px == 0


def test_without_a_surface_only_area_and_place_are_known():
    labels = drawn(TRIANGLE).labels
    found = measure_keyhole(labels, NAMES, None)
    assert found.area_px == (labels == KEYHOLE).sum()
    assert found.x_px == pytest.approx(np.nonzero(labels == KEYHOLE)[1].mean())
    unknown = found._asdict()
    del unknown["area_px"], unknown["x_px"]
    assert np.isnan(list(unknown.values())).all()


def test_a_keyhole_all_above_the_surface_has_an_area_but_no_depth():
    labels = Drawing().disc(0, -20, 5, KEYHOLE).labels
    found = measure_keyhole(labels, NAMES, Surface(0.0, 49.5))
    assert found.area_px > 0
    assert (found.depth_px, found.width_px, found.aperture_px) == (0, 0, 0)
    assert math.isnan(found.tip_y_px)


@settings(max_examples=20, deadline=None)
@given(st.floats(-6, 6), st.integers(-15, 15), st.integers(-40, 40))
def test_shifting_a_frame_moves_places_and_leaves_sizes(tilt, down, right):
    labels = drawn(J_SHAPE, shape=(180, 340), tilt_deg=tilt, row=60.5).labels
    surface = Surface(math.tan(math.radians(tilt)), 60.5 - 169.5 * math.tan(math.radians(tilt)))
    moved = Surface(surface.slope, surface.offset + down - right * surface.slope)
    here = measure_keyhole(labels, NAMES, surface)
    there = measure_keyhole(np.roll(labels, (down, right), (0, 1)), NAMES, moved)
    wanted = here._replace(
        x_px=here.x_px + right, tip_x_px=here.tip_x_px + right, tip_y_px=here.tip_y_px + down
    )
    # Within rounding, a pixel's centre may come to lie on the other side of the line.
    assert there == pytest.approx(wanted, abs=1.01)


@settings(max_examples=20, deadline=None)
@given(st.floats(-6, 6), st.floats(-20, 20), st.floats(30, 60))
def test_mirroring_a_frame_mirrors_places_and_swaps_the_walls(tilt, tip, depth):
    labels = drawn(((-14, 0), (14, 0), (tip, depth)), tilt_deg=tilt).labels
    here, there = (
        measure_keyhole(image, NAMES, substrate_surface(image, NAMES))
        for image in (labels, labels[:, ::-1])
    )
    assert there.area_px == here.area_px
    for name in ("depth_px", "width_px", "aperture_px"):
        assert is_close(getattr(there, name), getattr(here, name))
    assert there.x_px == pytest.approx(239 - here.x_px, abs=1)
    assert there.tip_x_px == pytest.approx(239 - here.tip_x_px, abs=1)
    for direction in (1, -1):
        assert there.front_wall_angle_deg(direction) == pytest.approx(
            here.front_wall_angle_deg(-direction), rel=0.02
        )
