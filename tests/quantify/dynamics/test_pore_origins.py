"""What was formed during a recording, what was there before, and what cannot be told."""

import numpy as np
import pytest
from test_pore_tracks import only, tracked

NOWHERE = None
RATES = ["growth_px_per_frame", "drift_x_px_per_frame", "drift_y_px_per_frame"]


def resting(frames, x=50.0, y=60.0, diameter=8.0):
    return [(frame, x, y, diameter) for frame in frames]


def test_what_is_there_from_the_first_frame_and_never_moves_is_static():
    track, found = only(resting(range(25)), range(25))
    assert track["origin"] == "static"
    assert track[RATES].isna().all()
    assert found.events.empty


def test_a_static_blob_that_changes_its_size_has_no_growth():
    rng = np.random.default_rng(0)
    rows = [(frame, 50.0, 60.0, 8.0 + rng.uniform(-1, 1)) for frame in range(25)]
    assert np.isnan(only(rows, range(25))[0]["growth_px_per_frame"])


@pytest.mark.parametrize("seed", range(8))
def test_a_blob_that_flickers_in_one_place_is_never_formed(seed):
    rng = np.random.default_rng(seed)
    frames = np.flatnonzero(rng.random(60) < 0.3)
    found = tracked(resting(frames), range(60))
    assert not (found.tracks["origin"] == "formed").any()
    assert (found.events["event"] != "pore formed").all()


def test_a_blob_that_comes_back_to_its_place_is_the_one_of_before():
    found = tracked(resting([*range(4, 12), *range(40, 60)]), range(60))
    assert found.tracks["place"].nunique() == 1
    assert found.tracks["origin"].iloc[1] == "static"


def test_a_pore_that_stays_from_one_frame_on_is_formed():
    track, found = only(resting(range(10, 30)), range(30))
    assert track["origin"] == "formed"
    assert found.events["event"].tolist() == ["pore formed"]


def test_a_blob_that_is_found_now_and_then_for_a_while_is_static():
    seen = [6, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    track, found = only(resting(seen), range(25))
    assert track["origin"] == "static"
    assert (found.events["event"] != "pore formed").all()


def test_a_speckle_of_one_frame_is_unclear():
    track, found = only(resting([12]), range(30))
    assert track["origin"] == "unclear"
    assert found.events.empty


def test_a_pore_of_one_frame_beside_the_keyhole_is_formed_there():
    track, _ = only(resting([12], x=60.0, y=55.0), range(30), np.full(30, 60.0))
    assert (track["origin"], bool(track["from_keyhole"])) == ("formed", True)


def test_dirt_that_the_keyhole_passes_is_not_formed_by_it():
    keyhole = 20.0 + 2 * np.arange(60)
    seen = [frame for frame in range(60) if abs(keyhole[frame] - 80) > 12 and frame % 2]
    found = tracked(resting(seen, x=80.0, y=45.0), range(60), keyhole)
    assert not found.tracks["from_keyhole"].any()
    assert (found.tracks["origin"] == "static").all()


def test_a_pore_that_moves_and_is_there_from_the_first_frame_was_formed_earlier():
    rows = [(frame, 30.0 + frame, 60.0, 8.0) for frame in range(30)]
    track, found = only(rows, range(30))
    assert track["origin"] == "earlier"
    assert track["drift_x_px_per_frame"] == pytest.approx(1)
    assert found.events.empty


def test_rates_of_three_frames_are_none():
    rows = [(frame, 30.0 + 5 * frame, 60.0, 8.0 + frame) for frame in range(5, 8)]
    assert only(rows, range(30))[0][RATES].isna().all()


def test_the_error_of_a_drift_is_that_of_its_scatter():
    off = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = [(n, 30.0 + n + rng.normal(0, 0.3), 60.0, 8.0) for n in range(5, 35)]
        track, _ = only(rows, range(40))
        off.append((track["drift_x_px_per_frame"] - 1) / track["drift_x_error_px_per_frame"])
    assert 0.7 < np.std(off) < 1.4
