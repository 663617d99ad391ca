"""The surface of the substrate."""

import numpy as np
import pytest
from drawn_frames import GAS, KEYHOLE, NAMES, PLATE, POWDER, Drawing
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.classes import IGNORE
from amseg_keras.quantify.geometry.surface import Surface, robust_line, substrate_surface

TILTS = (-8.0, -2.5, -0.3, 0.0, 0.1, 1.0, 5.0)


def error_px(drawing, names=NAMES):
    """How far the fitted line is from the drawn one, at the left and right edge of the frame."""
    surface = substrate_surface(drawing.labels, names)
    half = drawing.labels.shape[1] / 2
    ends = np.array([drawing.at(u, 0) for u in (-half, half)])
    return np.abs(surface.depth(ends[:, 0], ends[:, 1])).max()


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("row", [49.5, 50.1])
def test_a_bare_plate_gives_the_drawn_line_below_a_pixel(tilt, row):
    assert error_px(Drawing(tilt_deg=tilt, row=row)) < 0.75


def test_the_line_lies_on_the_upper_edge_of_the_topmost_pixel():
    surface = substrate_surface(Drawing(row=49.5).labels, NAMES)
    assert surface.slope == pytest.approx(0, abs=1e-9)
    assert surface.offset == pytest.approx(49.5)


@pytest.mark.parametrize("tilt", TILTS)
def test_an_open_keyhole_does_not_count_as_surface(tilt):
    wide = [(-45, -1), (45, -1), (0, 60)]
    assert error_px(Drawing(tilt_deg=tilt).polygon(wide, KEYHOLE)) < 0.5


@pytest.mark.parametrize("tilt", TILTS)
def test_powder_over_part_of_the_plate_is_not_its_surface(tilt):
    drawing = Drawing(tilt_deg=tilt)
    drawing.labels[(drawing.v <= 0) & (drawing.v > -22) & (drawing.u > -30)] = POWDER
    assert error_px(drawing) < 0.5


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("height", [6, 12, 30])
def test_a_deposit_on_two_fifths_of_the_plate_does_not_tilt_the_line(tilt, height):
    drawing = Drawing(tilt_deg=tilt)
    drawing.labels[(drawing.v > -height) & (drawing.v <= 0) & (drawing.u > 24)] = PLATE
    assert error_px(drawing) < 1


@pytest.mark.parametrize("tilt", TILTS)
def test_a_melt_hump_and_a_dent_do_not_tilt_the_line(tilt):
    drawing = Drawing(tilt_deg=tilt)
    hump = 14 * np.exp(-(((drawing.u + 60) / 18) ** 2))
    drawing.labels[(drawing.v <= 0) & (drawing.v > -hump)] = PLATE
    drawing.labels[(drawing.v > 0) & (drawing.v < 9 - np.abs(drawing.u - 70) / 2)] = GAS
    assert error_px(drawing) < 1


@pytest.mark.parametrize("tilt", TILTS)
def test_spatter_called_substrate_is_not_the_surface(tilt):
    drawing = Drawing(tilt_deg=tilt)
    for place in range(-110, 111, 10):
        drawing.disc(place, -20 - abs(place) % 7, 4, PLATE)
    assert error_px(drawing) < 0.5


@pytest.mark.parametrize("label", [GAS, POWDER, IGNORE])
def test_specks_of_other_classes_in_the_plate_do_not_matter(label):
    drawing = Drawing(tilt_deg=2.0)
    specks = np.random.default_rng(0).random(drawing.labels.shape) < 0.1
    drawing.labels[specks & (drawing.v > 0)] = label
    assert error_px(drawing) < 0.5


def test_a_thin_layer_of_no_class_lies_on_the_surface():
    drawing = Drawing(tilt_deg=-1.0)
    drawing.labels[(drawing.v <= 0) & (drawing.v > -3)] = IGNORE
    assert error_px(drawing) < 0.5


def test_a_rough_plate_has_the_line_through_its_middle():
    drawing = Drawing(tilt_deg=1.5)
    wave = 2 * np.sin(drawing.u / 5)
    drawing.labels[:] = np.where(drawing.v > wave, PLATE, GAS)
    assert error_px(drawing) < 1


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((30, 40), np.uint8),
        np.full((30, 40), IGNORE, np.uint8),
        np.full((30, 40), PLATE, np.uint8),
        np.full((30, 40), KEYHOLE, np.uint8),
        np.pad(np.full((20, 3), PLATE, np.uint8), ((10, 0), (0, 37))),
    ],
    ids=["gas", "ignored", "plate all over", "keyhole all over", "a sliver"],
)
def test_without_enough_of_a_surface_there_is_none(labels):
    assert substrate_surface(labels, NAMES) is None


def test_without_the_class_there_is_no_surface():
    assert substrate_surface(Drawing().labels, ["background", "pore"]) is None


def test_classes_are_found_by_name_in_any_order():
    drawing = Drawing(tilt_deg=3.0)
    drawing.labels[:] = np.where(drawing.labels == PLATE, 1, 0)
    assert error_px(drawing, ["background", "substrate"]) < 0.5


@settings(max_examples=25, deadline=None)
@given(st.floats(-8, 8), st.integers(-20, 20), st.integers(-30, 30))
def test_a_shifted_frame_has_a_shifted_line(tilt, down, right):
    drawing = Drawing((120, 300), tilt, 59.6)
    inner = drawing.labels[20:100, 30:270]
    moved = drawing.labels[20 - down : 100 - down, 30 - right : 270 - right]
    here, there = (substrate_surface(labels, NAMES) for labels in (inner, moved))
    x = np.array([0.0, 239.0])
    np.testing.assert_allclose(there.row(x), here.row(x - right) + down, atol=0.5)


@settings(max_examples=25, deadline=None)
@given(st.floats(-8, 8), st.floats(40, 60))
def test_a_mirrored_frame_has_a_mirrored_line(tilt, row):
    labels = Drawing(tilt_deg=tilt, row=row).labels
    here, there = (substrate_surface(image, NAMES) for image in (labels, labels[:, ::-1]))
    assert there.slope == pytest.approx(-here.slope, abs=1e-3)
    assert there.row(119.5) == pytest.approx(here.row(119.5), abs=0.1)


@given(
    slope=st.floats(-2, 2), offset=st.floats(-99, 99), x=st.floats(-99, 99), d=st.floats(-99, 99)
)
def test_depth_is_the_distance_along_the_normal(slope, offset, x, d):
    surface = Surface(slope, offset)
    normal = np.array([-slope, 1]) / np.hypot(slope, 1)
    below = np.array([x, slope * x + offset]) + d * normal
    assert surface.depth(*below) == pytest.approx(d, abs=1e-9)
    assert surface.along(*below) == pytest.approx(surface.along(x, slope * x + offset), abs=1e-9)


def test_a_line_stands_up_to_nearly_half_of_the_points_being_wrong():
    x = np.arange(100.0)
    y = 0.3 * x - 7
    y[np.random.default_rng(0).permutation(100)[:45]] += 40
    assert robust_line(x, y) == pytest.approx((0.3, -7), abs=1e-6)


def test_a_line_through_clean_points_is_that_of_least_squares():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 200, 400))
    y = 0.05 * x + 3 + rng.normal(0, 0.3, 400)
    wanted = np.polyfit(x, y, 1)
    np.testing.assert_allclose(np.polyval(robust_line(x, y), x), np.polyval(wanted, x), atol=0.02)
