"""Everything measured in a recording: tables, units, summary."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn_frames import KEYHOLE, NAMES, PLATE, PORE, Drawing, is_close
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.classes import IGNORE
from amseg_keras.quantify import Scale, class_areas, measure, measure_keyhole
from amseg_keras.quantify.quantities import smallest_area_px
from amseg_keras.quantify.scale import IN_PIXELS, in_units

SCALE = Scale(2.0, 50_000.0)
TILT = 3.0
DEPTHS = (40.0, 44.0, 36.0, 40.0, 42.0, 38.0, 40.0, 40.0)
BORN = 3
"""Frame from which there is a pore, left behind by the tip."""


def recording(step=6.0):
    """A keyhole that goes to the right and leaves a pore behind; label maps `(8, 160, 240)`."""
    frames = []
    for number, depth in enumerate(DEPTHS):
        at = -20 + step * number
        drawing = Drawing(tilt_deg=TILT)
        drawing.polygon([(at - 10, 0), (at + 10, 0), (at - 2, depth), (at - 6, depth)])
        if number >= BORN:
            drawing.disc(-20 + step * BORN - 4, DEPTHS[BORN] + 6, 6)
        frames.append(drawing.labels)
    return np.stack(frames)


@pytest.fixture(scope="module")
def found():
    return measure(recording(), NAMES, SCALE)


def test_frames_have_the_columns_that_are_promised(found):
    assert found.frames.columns.tolist() == [
        "frame",
        "time_s",
        "surface_slope",
        "surface_y_px",
        "keyhole_area_px",
        "keyhole_area_um2",
        "keyhole_depth_px",
        "keyhole_depth_um",
        "keyhole_width_px",
        "keyhole_width_um",
        "keyhole_aperture_px",
        "keyhole_aperture_um",
        "keyhole_aspect_ratio",
        "front_wall_angle_deg",
        "keyhole_x_px",
        "keyhole_tip_x_px",
        "keyhole_tip_y_px",
        "pore_count",
        "pore_area_px",
        "pore_area_um2",
        "porosity",
        "melt_free_depth_px",
        "melt_free_depth_um",
        "keyhole_area_delta",
        "keyhole_depth_delta",
    ]


def test_pores_have_the_columns_that_are_promised(found):
    assert found.pores.columns.tolist() == [
        "frame",
        "time_s",
        "pore",
        "pore_area_px",
        "pore_area_um2",
        "equivalent_diameter_px",
        "equivalent_diameter_um",
        "depth_px",
        "depth_um",
        "x_px",
        "y_px",
        "eccentricity",
        "major_axis_px",
        "major_axis_um",
        "touches_keyhole",
        "touches_edge",
        "track",
    ]


def test_every_frame_is_measured_as_it_was_drawn(found):
    frames = found.frames
    assert frames["frame"].tolist() == list(range(8))
    assert frames["surface_slope"].to_numpy() == pytest.approx(np.tan(np.deg2rad(TILT)), abs=2e-3)
    assert frames["surface_y_px"].to_numpy() == pytest.approx(49.5, abs=0.5)
    for number, depth in enumerate(DEPTHS):
        row = frames.iloc[number]
        assert is_close(row["keyhole_depth_px"], depth)
        assert is_close(row["keyhole_aperture_px"], 20)
        assert is_close(row["keyhole_width_px"], 20)
        assert row["keyhole_aspect_ratio"] == pytest.approx(depth / 20, rel=0.06)
        wanted = np.degrees(np.arctan2(depth, 12))
        assert row["front_wall_angle_deg"] == pytest.approx(wanted, rel=0.02)
        place = Drawing(tilt_deg=TILT).at(-20 + 6 * number, 0)
        assert row["keyhole_x_px"] == pytest.approx(place[0], abs=1)
        assert row["keyhole_area_px"] == pytest.approx(12 * depth, rel=0.03)


def test_units_are_pixels_times_the_scale(found):
    frames = found.frames
    np.testing.assert_allclose(frames["time_s"], frames["frame"] / 50_000)
    np.testing.assert_allclose(frames["keyhole_depth_um"], frames["keyhole_depth_px"] * 2)
    np.testing.assert_allclose(frames["keyhole_area_um2"], frames["keyhole_area_px"] * 4)
    np.testing.assert_allclose(found.pores["depth_um"], found.pores["depth_px"] * 2)


def test_without_a_scale_there_are_pixels_only(found):
    bare = measure(recording(), NAMES)
    for name in ("frames", "pores", "tracks", "events"):
        table = getattr(bare, name)
        assert not [
            column for column in table if column.endswith(("_um", "_um2", "_s", "_mm_per_s"))
        ]
        shared = [column for column in table if column in getattr(found, name)]
        pd.testing.assert_frame_equal(table[shared], getattr(found, name)[shared])
        assert len(shared) == len(table.columns)


def test_pores_are_counted_and_porosity_is_their_share_of_the_metal(found):
    frames, labels = found.frames, recording()
    assert frames["pore_count"].tolist() == [0] * BORN + [1] * 5
    pores, plates = ((labels == label).sum(axis=(1, 2)) for label in (PORE, PLATE))
    assert frames["pore_area_px"].tolist() == pores.tolist()
    np.testing.assert_allclose(frames["porosity"], pores / (pores + plates))
    assert found.pores["frame"].tolist() == list(range(BORN, 8))
    assert is_close(found.pores["equivalent_diameter_px"].iloc[-1], 12)
    assert is_close(found.pores["depth_px"].iloc[-1], 46)


def test_pores_are_tracked(found):
    assert found.pores["track"].tolist() == [0] * 5
    (track,) = found.tracks.to_dict("records")
    assert (track["first_frame"], track["last_frame"]) == (BORN, 7)
    assert track["from_keyhole"]
    assert found.events["event"].tolist() == ["pore formed"]
    assert found.events["frame"].tolist() == [BORN]


def test_the_melt_free_depth_reaches_from_the_deepest_void_to_the_bottom(found):
    cosine = np.cos(np.deg2rad(TILT))
    for number, depth in enumerate(DEPTHS):
        at = -20 + 6 * number
        deepest = Drawing(tilt_deg=TILT).at(at - 4, depth)
        if number >= BORN and DEPTHS[BORN] + 12 > depth:
            deepest = Drawing(tilt_deg=TILT).at(-20 + 6 * BORN - 4, DEPTHS[BORN] + 12)
        wanted = (159.5 - deepest[1]) / cosine
        assert is_close(found.frames["melt_free_depth_px"].iloc[number], wanted)


def test_without_voids_the_whole_plate_is_free_of_melt():
    labels = Drawing(row=49.5).labels
    assert measure([labels], NAMES).frames["melt_free_depth_px"].tolist() == pytest.approx([110])


def test_the_melt_free_depth_ends_at_the_lower_edge_of_the_plate():
    drawing = Drawing()
    drawing.labels[drawing.v > 80] = 0
    assert measure([drawing.labels], NAMES).frames["melt_free_depth_px"][0] == pytest.approx(80)


def test_fluctuation_is_that_of_the_columns(found):
    for of in ("area", "depth"):
        values = found.frames[f"keyhole_{of}_px"].to_numpy()
        deltas = np.abs(values / values.mean() - 1)
        np.testing.assert_allclose(found.frames[f"keyhole_{of}_delta"], deltas)
        assert found.summary[f"{of}_delta_avg"] == pytest.approx(deltas.mean())
        assert found.summary[f"{of}_delta_max"] == pytest.approx(deltas.max())


def test_the_summary_sums_up_the_tables(found):
    summary = found.summary
    assert (summary["frames"], summary["keyhole_frames"]) == (8, 8)
    depth = found.frames["keyhole_depth_px"].median()
    assert summary["median_keyhole_depth_px"] == depth
    assert summary["median_keyhole_depth_um"] == 2 * depth
    assert summary["median_keyhole_area_um2"] == 4 * found.frames["keyhole_area_px"].median()
    assert (summary["pores_formed"], summary["pores_from_keyhole"]) == (1, 1)
    largest = found.pores["equivalent_diameter_um"].max()
    assert summary["largest_pore_equivalent_diameter_um"] == largest
    assert summary["mean_pore_area_px"] == found.pores["pore_area_px"].mean()
    assert summary["porosity"] == found.frames["porosity"].mean()
    assert summary["oscillation_hz"] is None
    assert summary["scan_direction"] == 1
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize(("frames", "readable"), [(64, range(64)), (70, range(3, 67))])
def test_the_oscillation_of_the_depth_is_found(frames, readable):
    labels = np.full((frames, 60, 50), IGNORE, np.uint8)
    for number in readable:
        depth = 25 + 5 * np.sin(2 * np.pi * number / 8)
        if number != 30:
            drawing = Drawing((60, 50), row=9.5)
            labels[number] = drawing.polygon([(-5, 0), (5, 0), (5, depth), (-5, depth)]).labels
    found = measure(labels, NAMES, Scale(None, 40_000.0))
    assert len(found.frames) == 63
    assert found.summary["oscillation_hz"] == pytest.approx(5000, rel=0.1)


def test_the_direction_of_the_scan_is_found_and_chooses_the_front_wall(found):
    mirrored = measure(recording()[:, :, ::-1], NAMES, SCALE)
    assert (found.scan_direction, mirrored.scan_direction) == (1, -1)
    np.testing.assert_allclose(
        mirrored.frames["front_wall_angle_deg"], found.frames["front_wall_angle_deg"], rtol=0.02
    )


def test_a_given_direction_is_taken(found):
    other = measure(recording(), NAMES, SCALE, scan_direction=-1)
    assert other.scan_direction == other.summary["scan_direction"] == -1
    for depth, angle in zip(DEPTHS, other.frames["front_wall_angle_deg"], strict=True):
        assert angle == pytest.approx(np.degrees(np.arctan2(depth, 4)), rel=0.02)


def test_without_a_direction_there_is_no_front_wall_angle():
    still = measure(recording(step=0.0), NAMES)
    assert still.scan_direction is None
    assert still.frames["front_wall_angle_deg"].isna().all()


def test_frames_may_come_one_by_one(found):
    streamed = measure(iter(recording()), NAMES, SCALE)
    pd.testing.assert_frame_equal(streamed.frames, found.frames)
    pd.testing.assert_frame_equal(streamed.pores, found.pores)


def test_unreadable_frames_have_no_row_and_the_others_keep_their_number():
    labels = recording()
    labels[2] = IGNORE
    found = measure(labels, NAMES, SCALE)
    assert found.frames["frame"].tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert found.frames["time_s"].iloc[2] == pytest.approx(3 / 50_000)


def test_frames_without_a_keyhole_have_none_of_its_quantities():
    labels = recording()
    labels[0][labels[0] == KEYHOLE] = PLATE
    row = measure(labels, NAMES).frames.iloc[0]
    for name in ("area_px", "depth_px", "width_px", "aperture_px"):
        assert row[f"keyhole_{name}"] == 0
    for name in ("keyhole_aspect_ratio", "front_wall_angle_deg", "keyhole_x_px", "keyhole_tip_x_px",
                 "keyhole_tip_y_px", "keyhole_area_delta", "keyhole_depth_delta"):  # fmt: skip
        assert np.isnan(row[name])


def test_without_substrate_areas_are_known_and_depths_are_not():
    labels = recording()
    labels[labels == PLATE] = 0
    found = measure(labels, NAMES, SCALE)
    frames = found.frames
    assert (frames["keyhole_area_px"] > 0).all()
    for name in ("surface_slope", "keyhole_depth_um", "melt_free_depth_px", "porosity"):
        assert frames[name].isna().all()
    assert found.pores["depth_px"].isna().all()
    assert np.isnan(found.summary["median_keyhole_depth_px"])


def test_in_a_casting_the_background_is_the_metal():
    labels = np.zeros((3, 40, 50), np.uint8)
    labels[:, 10:20, 10:20] = 1
    found = measure(labels, ["background", "pore"])
    assert found.frames["porosity"].tolist() == [0.05] * 3
    assert found.pores["pore_area_px"].tolist() == [100] * 3
    assert found.frames["keyhole_area_px"].tolist() == [0] * 3


@pytest.mark.parametrize(
    "labels", [[], np.full((2, 9, 9), IGNORE, np.uint8)], ids=["no frames", "none readable"]
)
def test_without_a_readable_frame_the_tables_have_their_columns_and_no_rows(labels, found):
    empty = measure(labels, NAMES, SCALE)
    for name in ("frames", "pores", "tracks", "events"):
        table, wanted = getattr(empty, name), getattr(found, name)
        assert len(table) == 0
        assert table.dtypes.to_dict() == wanted.dtypes.to_dict()
    assert empty.summary["frames"] == 0


def test_without_pores_the_tables_of_pores_have_their_columns_and_no_rows(found):
    labels = recording()
    labels[labels == PORE] = PLATE
    bare = measure(labels, NAMES, SCALE)
    for name in ("pores", "tracks", "events"):
        assert len(getattr(bare, name)) == 0
        assert getattr(bare, name).columns.tolist() == getattr(found, name).columns.tolist()


def test_speckles_are_told_by_their_size_in_um():
    labels = Drawing().disc(0, 40, 4).labels  # about 50 px, 8 px across
    assert len(measure([labels], NAMES, Scale(2.0)).pores) == 1
    assert len(measure([labels], NAMES, Scale(1.2)).pores) == 0
    assert len(measure([labels], NAMES, Scale(1.2), smallest_pore_um=9.0).pores) == 1
    assert len(measure([labels], NAMES).pores) == 1


def test_a_speckle_is_never_below_three_pixels():
    assert smallest_area_px(Scale(50.0)) == 3
    assert smallest_area_px(Scale(None, 1000.0)) == 6
    assert smallest_area_px(Scale(2.0)) == pytest.approx(np.pi / 4 * 5**2)


def test_frames_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"frame 1.*\(9, 8\)"):
        measure([np.zeros((9, 9), np.uint8), np.zeros((9, 8), np.uint8)], NAMES)


def test_a_single_map_is_refused():
    with pytest.raises(ValueError, match=r"\(height, width\)"):
        measure(Drawing().labels, NAMES)


def test_a_direction_that_is_none_is_refused():
    with pytest.raises(ValueError, match="scan_direction"):
        measure(recording(), NAMES, scan_direction=0)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_a_scale_must_be_positive(value):
    with pytest.raises(ValueError, match="pixel_size_um"):
        Scale(value)
    with pytest.raises(ValueError, match="frame_rate_hz"):
        Scale(1.0, value)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 10), st.floats(1, 1e6))
def test_rates_are_in_physical_units(pixel, rate):
    table = pd.DataFrame({"growth_px_per_frame": [3.0], "drift_x_px_per_frame": [-0.5]})
    known = in_units(table, Scale(pixel, rate)).iloc[0]
    assert known["growth_um2_per_s"] == pytest.approx(3 * pixel**2 * rate)
    assert known["drift_x_mm_per_s"] == pytest.approx(-0.5 * pixel * rate / 1000)
    for scale in (IN_PIXELS, Scale(pixel), Scale(None, rate)):
        assert in_units(table, scale).columns.tolist() == table.columns.tolist()


THREE = np.zeros((2, 30, 40), np.uint8)
THREE[:, 10:] = 1
THREE[:, 10:20, 15:22] = 2


@pytest.mark.parametrize(
    ("names", "suggested"),
    [
        (["background", "substrate", "keyhoel"], "'keyhoel': did you mean 'keyhole'"),
        (["background", "Substrate", "keyhole"], "'Substrate': did you mean 'substrate'"),
        (["background", "substrate", "key hole"], "did you mean 'keyhole'"),
        (["background", "substrate", "pores"], "did you mean 'pore'"),
    ],
)
def test_a_name_near_a_known_one_is_refused_with_the_known_one(names, suggested):
    with pytest.raises(ValueError, match=suggested):
        measure(THREE, names)
    with pytest.raises(ValueError, match=suggested):
        measure_keyhole(THREE[0], names, None)


def test_an_unknown_name_in_which_a_class_could_hide_is_refused():
    with pytest.raises(ValueError, match=r"'keyhole', 'pore' is missing and 'depression'"):
        measure(THREE, ["background", "substrate", "depression"])


def test_labels_without_a_class_say_so_on_purpose():
    found = measure(THREE, ["background", "substrate", "melt pool"], absent=["keyhole", "pore"])
    assert found.frames["keyhole_area_px"].tolist() == [0, 0]


def test_known_names_alone_need_no_word_on_the_others():
    assert len(measure(THREE, ["background", "substrate", "pore"]).frames) == 2


@pytest.mark.parametrize("absent", [["keyhoel"], ["keyhole"]])
def test_a_class_that_is_there_or_unknown_is_not_absent(absent):
    with pytest.raises(ValueError, match="absent class"):
        measure(THREE, ["background", "substrate", "keyhole"], absent=absent)


def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="'pore' is there twice"):
        measure(THREE, ["background", "pore", "pore"])


def test_a_class_id_without_a_name_is_named_with_its_frame():
    labels = THREE.copy()
    labels[1, 0, 0], labels[0, 0, 0] = 9, 255
    for call in (measure, class_areas):
        with pytest.raises(ValueError, match="frame 1: has the class id 9, but there are 3 class"):
            call(labels, ["background", "substrate", "keyhole"])
