"""Tracks of pores: drawn discs that move, grow, cross and go, and simulated shots."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk
from skimage.measure import label, regionprops

from amseg_keras.quantify.dynamics.tracks import track_pores
from amseg_keras.quantify.scale import Scale
from amseg_keras.simulate import record

SHAPE = (120, 200)
SURFACE = 20
PIXELS = Scale()


def pore_table(rows):
    """From (frame, x, y, diameter) and what else is known of each."""
    columns = ["frame", "x_px", "y_px", "equivalent_diameter_px"]
    table = pd.DataFrame([row[:4] for row in rows], columns=columns, dtype=float)
    table["frame"] = table["frame"].astype(int)
    table["pore_area_px"] = np.pi / 4 * table["equivalent_diameter_px"] ** 2
    table["depth_px"] = table["y_px"] - SURFACE
    told = [row[4] if len(row) > 4 else {} for row in rows]
    for name in ("touches_keyhole", "touches_edge"):
        table[name] = np.array([one.get(name, False) for one in told], bool)
    return table


def frame_table(frames, keyhole=None):
    """Readable frames; the keyhole, if any, is a slot 8 px wide and 30 deep at these columns."""
    table = pd.DataFrame({"frame": np.array(frames, int)})
    x = np.full(len(table), np.nan) if keyhole is None else np.asarray(keyhole, float)
    there = np.isfinite(x)
    return table.assign(
        surface_slope=0.0,
        surface_y_px=float(SURFACE),
        keyhole_width_px=np.where(there, 8.0, 0.0),
        keyhole_x_px=x,
        keyhole_tip_x_px=x,
        keyhole_tip_y_px=np.where(there, SURFACE + 30.0, np.nan),
    )


def drawn(frame, x, y, diameter):
    """A disc as a label map would have it: one row of a pore table for what is in view."""
    mask = np.zeros(SHAPE, bool)
    mask[disk((y, x), diameter / 2, shape=SHAPE)] = True
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return []
    edge = bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
    equivalent = np.sqrt(4 * len(rows) / np.pi)
    return [(frame, columns.mean(), rows.mean(), equivalent, {"touches_edge": edge})]


def tracked(rows, frames, keyhole=None, scale=PIXELS):
    return track_pores(pore_table(rows), frame_table(frames, keyhole), SHAPE, scale)


def only(rows, frames, keyhole=None, scale=PIXELS):
    """The one track that there is."""
    found = tracked(rows, frames, keyhole, scale)
    assert found.tracks["track"].tolist() == [0]
    return found.tracks.iloc[0], found


# --- linking --------------------------------------------------------------------


def test_discs_that_pass_each_other_keep_their_tracks():
    rows = []
    for frame in range(40):
        rows += drawn(frame, 30 + 3 * frame, 60, 9) + drawn(frame, 150 - 3 * frame, 70, 9)
    found = tracked(rows, range(40))
    assert len(found.tracks) == 2
    for _, one in found.pores.groupby("track"):
        assert len(one) == 40
        assert np.ptp(one["y_px"]) < 1
    np.testing.assert_allclose(found.tracks["drift_x_px_per_frame"], [3, -3], rtol=0.02)


def test_a_fast_disc_does_not_overlap_itself_and_is_followed():
    rows = [row for frame in range(15) for row in drawn(frame, 20 + 9 * frame, 60, 8)]
    track, _ = only(rows, range(15))
    assert track["drift_x_px_per_frame"] == pytest.approx(9, rel=0.02)


@pytest.mark.parametrize("missed", [(9,), (9, 10)])
def test_a_disc_that_is_missed_in_one_or_two_frames_keeps_its_track(missed):
    rows = [
        row
        for frame in range(20)
        if frame not in missed
        for row in drawn(frame, 30 + 4 * frame, 60, 9)
    ]
    track, _ = only(rows, range(20))
    assert track["frames"] == 20 - len(missed)
    assert (track["first_frame"], track["last_frame"]) == (0, 19)


def test_frames_that_cannot_be_read_are_not_held_against_a_pore():
    frames = [*range(10), *range(60, 70)]
    track, _ = only([(frame, 50.0, 60.0, 9.0) for frame in frames], frames)
    assert track["frames"] == 20


def test_a_resting_pore_is_known_again_after_ten_frames_and_a_moving_one_is_not():
    rows = [(frame, 50.0, 60.0, 9.0) for frame in range(40) if not 10 <= frame < 20]
    assert len(tracked(rows, range(40)).tracks) == 1
    rows = [(frame, 20.0 + 4 * frame, 60.0, 9.0) for frame in range(40) if not 10 <= frame < 20]
    assert len(tracked(rows, range(40)).tracks) == 2
    rows = [(frame, 50.0, 60.0, 9.0) for frame in range(40) if not 10 <= frame < 21]
    assert len(tracked(rows, range(40)).tracks) == 2


def test_a_pore_behind_the_keyhole_comes_into_sight_again():
    keyhole = 20.0 + 1.5 * np.arange(60)
    hidden = np.abs(keyhole - 60) < 10
    assert hidden.sum() > 11
    rows = [(frame, 60.0, 45.0, 9.0) for frame in np.flatnonzero(~hidden)]
    track, found = only(rows, range(60), keyhole)
    assert not track["from_keyhole"]
    assert track["end"] == "end of recording"
    assert found.events.empty


def test_pores_of_different_size_are_not_the_same():
    rows = [(frame, 50.0, 60.0, 5.0 if frame < 10 else 15.0) for frame in range(20)]
    assert len(tracked(rows, range(20)).tracks) == 2


def test_the_best_assignment_of_all_is_taken_not_the_nearest_first():
    # The nearest pair is the second track and the first pore: it would leave the rest apart.
    rows = [(0, 50.0, 60.0, 6.0), (0, 57.0, 60.0, 6.0), (1, 55.5, 60.0, 6.0), (1, 62.5, 60.0, 6.0)]
    assert tracked(rows, range(2)).pores["track"].tolist() == [0, 1, 0, 1]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 12))
def test_the_order_of_rows_and_their_index_do_not_matter(random, count):
    places = [(20.0 + 14 * number, 40.0 + 30 * random.random()) for number in range(count)]
    rows = [(frame, x + frame, y, 8.0) for frame in range(5) for x, y in places]
    table = pore_table(rows)
    found = track_pores(table, frame_table(range(5)), SHAPE, PIXELS)
    assert found.pores["track"].tolist() == list(range(count)) * 5
    shuffled = table.iloc[random.sample(range(len(table)), len(table))]
    again = track_pores(shuffled, frame_table(range(5)), SHAPE, PIXELS)
    pd.testing.assert_frame_equal(again.pores.drop(columns="track"), shuffled)
    assert again.pores.groupby("track").size().tolist() == [5] * count
    same = again.pores["track"].groupby(found.pores["track"]).nunique()
    assert (same == 1).all()


# --- the life of a pore ---------------------------------------------------------


def life(frame):
    """Born at frame 10 at the tip of the keyhole, drifts back until 22, grows until 18."""
    age = frame - 10
    return 100 - 1.5 * min(age, 12), 56 + 0.5 * min(age, 12), 60 + 8 * min(age, 8)


def lifelike_rows(rng=None, noise=0.0):
    rows = []
    for frame in range(10, 60):
        x, y, area = life(frame)
        if rng is not None:
            x, y = x + rng.normal(0, noise), y + rng.normal(0, noise)
        rows.append((frame, x, y, np.sqrt(4 * area / np.pi)))
    return rows


KEYHOLE = 60.0 + 4 * np.arange(60)


def test_a_pore_is_born_at_the_keyhole_grows_drifts_and_freezes():
    track, found = only(lifelike_rows(), range(60), KEYHOLE)
    assert track["from_keyhole"]
    assert (track["first_frame"], track["last_frame"], track["frames"]) == (10, 59, 50)
    assert (track["birth_x_px"], track["birth_y_px"], track["birth_depth_px"]) == (100, 56, 36)
    wanted = {"birth_area_px": 60, "largest_area_px": 124, "final_area_px": 124}
    assert track[list(wanted)].to_dict() == pytest.approx(wanted)
    assert track["growth_px_per_frame"] == pytest.approx(8, rel=1e-9)
    assert track["drift_x_px_per_frame"] == pytest.approx(-1.5, rel=1e-9)
    assert track["drift_y_px_per_frame"] == pytest.approx(0.5, rel=1e-9)
    assert track["frozen_frame"] == 22
    assert track["end"] == "end of recording"
    assert found.events["event"].tolist() == ["pore formed"]


def test_drawn_discs_grow_and_drift_as_they_were_drawn():
    rows = []
    for frame in range(60):
        age = min(frame, 30)
        rows += drawn(frame, 150.3 - 2.5 * age, 50.7 + 1.2 * age, 2 * np.sqrt(100 + 8 * age))
    track, _ = only(rows, range(60))
    assert track["drift_x_px_per_frame"] == pytest.approx(-2.5, rel=0.02)
    assert track["drift_y_px_per_frame"] == pytest.approx(1.2, rel=0.02)
    assert track["growth_px_per_frame"] == pytest.approx(8 * np.pi, rel=0.02)
    assert track["frozen_frame"] == pytest.approx(30, abs=1)


def test_noise_of_the_centroid_hides_neither_motion_nor_rest():
    found = [
        only(lifelike_rows(np.random.default_rng(seed), 0.3), range(60), KEYHOLE)[0]
        for seed in range(20)
    ]
    frozen = np.array([track["frozen_frame"] for track in found])
    assert (np.abs(frozen - 22) <= 1).sum() >= 18
    drift = [track["drift_x_px_per_frame"] for track in found]
    assert np.median(drift) == pytest.approx(-1.5, rel=0.02)


def test_units_follow_from_pixel_size_and_frame_rate():
    pixels, _ = only(lifelike_rows(), range(60), KEYHOLE)
    track, found = only(lifelike_rows(), range(60), KEYHOLE, Scale(2.0, 50_000.0))
    assert track["birth_depth_um"] == 2 * pixels["birth_depth_px"]
    for name in ("birth_area", "largest_area", "final_area"):
        assert track[f"{name}_um2"] == pytest.approx(4 * pixels[f"{name}_px"])
    # 8 px of 4 um² in each of 50,000 frames a second.
    assert track["growth_um2_per_s"] == pytest.approx(8 * 4 * 50_000)
    # 1.5 px of 0.002 mm in each of 50,000 frames a second.
    assert track["drift_x_mm_per_s"] == pytest.approx(-150)
    assert track["drift_y_mm_per_s"] == pytest.approx(50)
    event = found.events.iloc[0]
    assert event["time_s"] == pytest.approx(10 / 50_000)
    assert event["equivalent_diameter_um"] == pytest.approx(2 * np.sqrt(240 / np.pi))
    assert not any(name.endswith(("_um", "_um2", "_s")) for name in pixels.index)


def test_a_pore_that_was_seen_once_has_no_speed():
    track, _ = only([(3, 50.0, 60.0, 8.0)], range(20))
    speeds = ["growth_px_per_frame", "drift_x_px_per_frame", "drift_y_px_per_frame"]
    assert track[[*speeds, "frozen_frame"]].isna().all()


def test_a_pore_that_never_moved_nor_grew_has_speed_zero():
    track, _ = only([(frame, 50.0, 60.0, 8.0) for frame in range(5, 20)], range(20))
    speeds = ["growth_px_per_frame", "drift_x_px_per_frame", "drift_y_px_per_frame"]
    assert track[speeds].tolist() == [0, 0, 0]
    assert track["frozen_frame"] == 5


@pytest.mark.parametrize("speed", [0.1, 0.5, 3.0])
def test_a_pore_that_moves_on_is_never_frozen(speed):
    rows = [(frame, 20.0 + speed * frame, 60.0, 8.0) for frame in range(50)]
    track, _ = only(rows, range(50))
    assert np.isnan(track["frozen_frame"])
    assert track["drift_x_px_per_frame"] == pytest.approx(speed)


def test_seven_frames_of_rest_are_too_few_to_be_frozen():
    rows = [(frame, 50.0 - 2 * max(20 - frame, 0), 60.0, 8.0) for frame in range(28)]
    assert np.isnan(only(rows[:27], range(27))[0]["frozen_frame"])
    assert only(rows, range(28))[0]["frozen_frame"] == 20


# --- birth and end --------------------------------------------------------------


def test_pores_of_the_first_readable_frame_were_there_before():
    rows = [(frame, x, 45.0, 9.0) for frame in range(4, 20) for x in (60.0, 150.0)]
    found = tracked(rows, range(4, 20), np.full(16, 60.0))
    assert not found.tracks["from_keyhole"].any()
    assert found.events.empty


@pytest.mark.parametrize(
    ("x", "y", "born_there"),
    [
        # 9 + 3 px off the line, which is 8 px thick and ends at row 50.
        (60, 66, True),
        (60, 67, False),
        (76, 35, True),
        (77, 35, False),
        (60, 35, True),
    ],
)
def test_born_from_the_keyhole_is_what_is_near_it(x, y, born_there):
    rows = [(frame, float(x), float(y), 9.0) for frame in range(5, 20)]
    track, _ = only(rows, range(20), np.full(20, 60.0))
    assert track["from_keyhole"] == born_there


def test_born_from_the_keyhole_is_what_touches_it():
    # A long tail is not where the line from aperture to tip is.
    row = (5, 120.0, 60.0, 9.0)
    assert not only([row], range(10), np.full(10, 60.0))[0]["from_keyhole"]
    touching = (*row, {"touches_keyhole": True})
    assert only([touching], range(10), np.full(10, 60.0))[0]["from_keyhole"]


@pytest.mark.parametrize(("late", "born_there"), [(0, True), (1, True), (3, True), (4, False)])
def test_born_from_the_keyhole_is_what_is_where_it_was_just_before(late, born_there):
    keyhole = np.where(np.arange(20) <= 6, 60.0, 150.0)
    rows = [(frame, 60.0, 55.0, 9.0) for frame in range(6 + late, 20)]
    assert only(rows, range(20), keyhole)[0]["from_keyhole"] == born_there


def test_the_line_of_the_keyhole_follows_a_tilted_surface():
    frames = frame_table(range(10), np.full(10, 20.0)).assign(surface_slope=0.3)
    # The surface at column 20 is 20 + 0.3 (20 - 99.5) < 0: the slot reaches up to the edge.
    rows = pore_table([(5, 20.0, 1.0, 5.0)])
    assert track_pores(rows, frames, SHAPE, PIXELS).tracks["from_keyhole"].all()
    level = frames.assign(surface_slope=0.0)
    assert not track_pores(rows, level, SHAPE, PIXELS).tracks["from_keyhole"].any()


def test_without_a_surface_the_tip_of_the_keyhole_decides():
    frames = frame_table(range(10), np.full(10, 60.0))
    frames = frames.assign(surface_slope=np.nan, surface_y_px=np.nan)
    rows = pore_table([(5, 60.0, 58.0, 9.0), (5, 60.0, 20.0, 9.0)])
    found = track_pores(rows, frames, SHAPE, PIXELS)
    assert found.tracks["from_keyhole"].tolist() == [True, False]


def test_a_disc_that_goes_out_of_the_frame_left_the_view():
    rows = []
    for frame in range(40):
        rows += drawn(frame, 100 + 4 * frame, 60, 9)
    track, found = only(rows, range(40))
    assert track["last_frame"] < 30
    assert track["end"] == "left the view"
    ended = found.events.iloc[-1]
    assert ended[["event", "frame", "track"]].tolist() == ["pore ended", track["last_frame"], 0]


def test_a_fast_disc_left_the_view_though_it_never_touched_the_edge():
    rows = [(frame, 60.0, 80.0 + 8 * frame, 6.0) for frame in range(5)]
    assert only(rows, range(20))[0]["end"] == "left the view"
    halted = [(frame, 60.0, 80.0 + 8 * min(frame, 4), 6.0) for frame in range(10)]
    assert only(halted, range(30))[0]["end"] == "vanished"


def test_a_pore_that_the_keyhole_takes_in_joined_it():
    rows = [(frame, 100.0, 45.0, 9.0) for frame in range(12)]
    track, found = only(rows, range(40), 40.0 + 4 * np.arange(40))
    assert track["end"] == "joined the keyhole"
    assert found.events["frame"].tolist() == [11]


def test_a_pore_in_the_middle_of_the_plate_vanished():
    assert only([(frame, 90.0, 60.0, 9.0) for frame in range(12)], range(40))[0]["end"] == (
        "vanished"
    )


@pytest.mark.parametrize(
    ("last", "end"), [(19, "end of recording"), (17, "end of recording"), (16, "vanished")]
)
def test_a_pore_may_be_missed_in_the_last_two_frames_and_is_there_until_the_end(last, end):
    rows = [(frame, 90.0, 60.0, 9.0) for frame in range(last + 1)]
    assert only(rows, range(20))[0]["end"] == end


@pytest.mark.parametrize(("x", "origin"), [(60.0, "static"), (100.0, "formed")])
def test_a_blob_at_rest_where_no_keyhole_has_been_was_not_formed(x, origin):
    keyhole = 90.0 + 2 * np.arange(30)
    rows = [(frame, x, 60.0, 7.0) for frame in range(15, 30)]
    assert only(rows, range(30), keyhole)[0]["origin"] == origin


def test_events_are_in_the_order_of_time():
    rows = [(frame, 60.0, 60.0, 9.0) for frame in range(12)]
    rows += [(frame, 120.0, 60.0, 9.0) for frame in range(6, 9)]
    rows += [(frame, 160.0, 60.0, 9.0) for frame in range(30, 40)]
    events = tracked(rows, range(40)).events
    told = list(events[["frame", "event", "track"]].itertuples(index=False, name=None))
    assert told == [
        (6, "pore formed", 1),
        (8, "pore ended", 1),
        (11, "pore ended", 0),
        (30, "pore formed", 2),
    ]
    assert events["x_px"].tolist() == [120, 120, 60, 160]


# --- tables ---------------------------------------------------------------------


@pytest.mark.parametrize("frames", [range(5), []])
def test_without_pores_the_tables_are_empty_and_have_their_columns(frames):
    rows = [(frame, 50.0, 60.0, 8.0) for frame in range(1, 5)]
    full = tracked(rows, range(7), scale=Scale(2.0, 1_000.0))
    empty = tracked([], frames, scale=Scale(2.0, 1_000.0))
    for name in ("pores", "tracks", "events"):
        made, wanted = getattr(empty, name), getattr(full, name)
        assert len(made) == 0
        pd.testing.assert_series_equal(made.dtypes, wanted.dtypes)


def test_a_pore_in_a_frame_that_was_not_read_is_refused():
    with pytest.raises(ValueError, match="pores in frame 3"):
        tracked([(3, 50.0, 60.0, 8.0)], [0, 1, 2, 4])


def test_a_thousand_frames_with_ten_pores_take_no_time():
    rng = np.random.default_rng(0)
    places = np.stack((rng.uniform(10, 190, 10), np.linspace(30, 115, 10)), axis=1)
    rows = [
        (frame, x + rng.normal(0, 0.3), y + rng.normal(0, 0.3), 6.0)
        for frame in range(1000)
        for x, y in places
        if rng.random() > 0.1
    ]
    table, frames = pore_table(rows), frame_table(range(1000), np.linspace(0, 199, 1000))
    began = time.process_time()
    found = track_pores(table, frames, SHAPE, Scale(4.31, 40_000.0))
    assert time.process_time() - began < 3
    assert len(found.tracks) <= 12


# --- simulated shots ------------------------------------------------------------


def measured(labels):
    """Tables of pores and frames from true labels, as plainly as can be."""
    pores, frames = [], []
    for frame, one in enumerate(labels):
        keyhole = one == 3
        rows, columns = np.nonzero(keyhole)
        there = len(rows) > 0
        top, tip = (rows.min(), rows.max()) if there else (np.nan, np.nan)
        frames.append(
            {
                "frame": frame,
                "surface_slope": 0.0,
                "surface_y_px": top,
                "keyhole_width_px": keyhole.sum(axis=1).max(),
                "keyhole_x_px": columns[rows == top].mean() if there else np.nan,
                "keyhole_tip_x_px": columns[rows == tip].mean() if there else np.nan,
                "keyhole_tip_y_px": tip,
            }
        )
        for region in regionprops(label(one == 4, connectivity=2)):
            if region.area >= 6:
                y, x = region.centroid
                pores.append((frame, x, y, region.equivalent_diameter_area))
    return pore_table(pores), pd.DataFrame(frames)


@pytest.fixture(scope="module", params=[39, 56])
def shot(request):
    """A simulated shot, its tracks, and the pore that each row of the table is."""
    shape = (320, 640)
    recording = record("aps", 100, request.param, process="welding", shape=shape)
    labels = [recording.shot.render(recording.first + frame)[1] for frame in range(75)]
    found = track_pores(*measured(labels), shape, PIXELS)
    return recording, found, [_true_pore(recording, row) for row in found.pores.itertuples()]


def _true_pore(recording, row):
    """Number of the simulated pore that is nearest."""
    pixel_um = recording.facility.pixel_size_um
    distances = []
    for pore in recording.shot.pores:
        here = pore.at(recording.first + row.frame)
        if here is None:
            distances.append(np.inf)
            continue
        x = here[0] / pixel_um
        y = recording.shot.stage.plate.surface_at(x) + here[1] / pixel_um
        distances.append(np.hypot(row.x_px - x, row.y_px - y))
    return int(np.argmin(distances))


def test_each_simulated_pore_has_one_track(shot):
    _, found, truth = shot
    pores = found.pores.assign(true=truth)
    assert (pores.groupby("true")["track"].nunique() == 1).all()
    assert (pores.groupby("track")["true"].nunique() == 1).all()
    assert len(found.tracks) >= 5


def test_simulated_pores_come_from_the_keyhole_if_they_were_pinched_off(shot):
    recording, found, truth = shot
    first = found.pores.assign(true=truth).groupby("track")["true"].first()
    pinched_off = [bool(np.isfinite(recording.shot.pores[number].born)) for number in first]
    assert sum(pinched_off) >= 3
    assert found.tracks["from_keyhole"].tolist() == pinched_off
