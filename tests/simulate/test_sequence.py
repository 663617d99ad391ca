from dataclasses import replace

import numpy as np
import pytest

from amseg_keras.simulate import FACILITIES, MeltRanges, record, simulate_sequence
from amseg_keras.simulate.ranges.base import PLAIN
from amseg_keras.simulate.recording import draw_shot

SMALL = (128, 256)


@pytest.fixture(scope="module")
def shot():
    plain = replace(FACILITIES["esrf"], presentations=PLAIN)
    return simulate_sequence(plain, 24, seed=4, process="lpbf")


@pytest.mark.parametrize(
    ("facility", "shape"),
    [("esrf", (256, 512)), ("aps", (400, 1024)), ("dls", (200, 400)), ("hpdc", (256, 512))],
)
def test_what_comes_back(facility, shape):
    made = simulate_sequence(facility, 2, seed=1)
    assert made.frames.shape == made.labels.shape == (2, *shape)
    assert made.frames.dtype in (np.uint8, np.uint16)
    assert made.labels.dtype == np.uint8
    assert made.pixel_size_um == FACILITIES[facility].pixel_size_um
    assert made.frame_rate_hz == FACILITIES[facility].frame_rate_hz
    assert {"facility", "process", "material", "seed"} <= set(made.parameters)
    assert set(np.unique(made.labels)) <= {0, 1, 2, 3, 4, 255}


@pytest.mark.parametrize("facility", ["esrf", "aps", "dls", "hpdc"])
def test_same_seed_same_sequence_another_seed_another(facility):
    first = simulate_sequence(facility, 3, seed=7, shape=SMALL)
    again = simulate_sequence(facility, 3, seed=7, shape=SMALL)
    other = simulate_sequence(facility, 3, seed=8, shape=SMALL)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.parameters == again.parameters
    assert (first.frames != other.frames).any()


def test_recording_gives_any_frame_in_any_order():
    whole = simulate_sequence("esrf", 4, seed=5, shape=SMALL)
    recording = record("esrf", 4, seed=5, shape=SMALL)
    for index in (3, 0, 2):
        frame, labels = recording[index]
        np.testing.assert_array_equal(frame, whole.frames[index])
        np.testing.assert_array_equal(labels, whole.labels[index])
    assert len(recording) == len(list(recording)) == 4


def mouth(labels):
    """Mean column of the uppermost rows of the keyhole: its tail comes and goes."""
    rows, columns = np.nonzero(labels == 3)
    return columns[rows < rows.min() + 4].mean()


@pytest.mark.parametrize("process", ["lpbf", "welding"])
def test_the_keyhole_moves_with_the_laser(process):
    ranges = MeltRanges(keyhole_depth_um=(120.0, 200.0), standing=0.0, shallow=0.0)
    deep = replace(FACILITIES["esrf"], ranges=ranges)
    moved = 0
    for seed in range(4):
        made = simulate_sequence(deep, 16, seed=seed, process=process)
        place = [mouth(labels) for labels in made.labels if 3 in labels]
        if len(place) == 16:
            moved += 1
            travelled = (place[-1] - place[0]) * made.pixel_size_um
            expected = made.parameters["speed_mm_s"] * 1e3 / made.frame_rate_hz * 15
            assert np.sign(travelled) == made.parameters["scan_direction"]
            assert abs(travelled) == pytest.approx(expected, rel=0.35, abs=60)
    assert moved


def test_static_texture_stays_while_noise_changes(shot):
    deep = shot.frames[:, 230:, :].astype(float)
    first, second = deep[0] - deep[0].mean(), deep[1] - deep[1].mean()
    assert (deep[0] != deep[1]).any()
    assert (first * second).mean() / np.sqrt((first**2).mean() * (second**2).mean()) > 0.3


def test_pores_that_are_pinched_off_freeze_and_stay():
    deep = replace(FACILITIES["esrf"], ranges=MeltRanges(keyhole_depth_um=(200.0, 240.0)))
    left_behind = 0
    for seed in range(8):
        drawn = draw_shot(np.random.default_rng(seed), deep, "welding")
        before = drawn.render(0)[1] == 4
        # The last melt of these speeds freezes within 150 frames of the laser's leaving.
        frozen, later = (drawn.render(drawn.frames + more)[1] == 4 for more in (150, 600))
        np.testing.assert_array_equal(frozen, later)
        left_behind += int((frozen & ~before).sum() > 12)
    assert left_behind


def test_pores_go_with_the_fluctuation_of_the_keyhole_though_not_always():
    # Figure 7 of the paper, from 81 experiments.
    facility = FACILITIES["esrf"]
    shots = [draw_shot(np.random.default_rng(s), facility, "welding", (64, 512)) for s in range(81)]
    with_pores = [one for one in shots if one.parameters["pinched_off_pores"]]
    without = [one for one in shots if not one.parameters["pinched_off_pores"]]
    assert min(len(with_pores), len(without)) >= 15
    leaky = np.array([one.parameters["keyhole_fluctuation"] for one in with_pores])
    tight = np.array([one.parameters["keyhole_fluctuation"] for one in without])
    larger = (leaky[:, None] > tight[None]).mean()
    assert 0.75 < larger < 0.99


def test_laser_stays_in_view_until_the_shot_ends():
    for seed in range(6):
        drawn = draw_shot(np.random.default_rng(seed), FACILITIES["esrf"])
        assert 0 <= drawn.laser_px(0) <= 512
        assert 0 <= drawn.laser_px(drawn.frames - 1) <= 512


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="esrf, aps, dls, hpdc"):
        simulate_sequence("esfr", 2, seed=0)
    with pytest.raises(ValueError, match="lpbf, welding"):
        simulate_sequence("esrf", 2, seed=0, process="ded")
    with pytest.raises(ValueError, match="at least 1"):
        simulate_sequence("esrf", 0, seed=0)
