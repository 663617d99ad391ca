import numpy as np
import pytest

from amseg_keras.simulate import simulate_sequence


@pytest.fixture(scope="module")
def shot():
    return simulate_sequence(24, seed=4, process="lpbf")


def test_what_comes_back(shot):
    assert shot.frames.shape == shot.labels.shape == (24, 256, 512)
    assert shot.frame_rate_hz == 40_000
    assert shot.pixel_size_um == 4.31
    assert {"process", "material", "power_W", "speed_mm_s"} <= set(shot.parameters)
    assert set(np.unique(shot.labels)) <= {0, 1, 2, 3, 4, 255}


def test_same_seed_same_sequence(shot):
    again = simulate_sequence(24, seed=4, process="lpbf")
    np.testing.assert_array_equal(shot.frames, again.frames)
    np.testing.assert_array_equal(shot.labels, again.labels)
    assert shot.parameters == again.parameters


@pytest.mark.parametrize("process", ["lpbf", "welding"])
def test_the_keyhole_moves_with_the_laser(process):
    moved = 0
    for seed in range(5):
        shot = simulate_sequence(16, seed=seed, process=process)
        place = [np.argwhere(labels == 3)[:, 1].mean() for labels in shot.labels if 3 in labels]
        if len(place) == 16:
            moved += 1
            travelled = (place[-1] - place[0]) * shot.pixel_size_um
            expected = shot.parameters["speed_mm_s"] * 1e3 / shot.frame_rate_hz * 15
            # The keyhole's shape breathes and the frame's edge cuts it: a third is enough.
            assert np.sign(travelled) == shot.parameters["scan_direction"]
            assert abs(travelled) == pytest.approx(expected, rel=0.35, abs=40)
    assert moved


def test_static_texture_stays_while_noise_changes(shot):
    deep = shot.frames[:, 230:, :].astype(float)
    first, second = deep[0] - deep[0].mean(), deep[1] - deep[1].mean()
    assert (deep[0] != deep[1]).any()
    assert (first * second).mean() / np.sqrt((first**2).mean() * (second**2).mean()) > 0.3


def test_pores_stay_where_they_are_pinched_off():
    pinched = False
    for seed in range(12):
        labels = simulate_sequence(30, seed=seed, process="welding", shape=(160, 320)).labels
        early, late = labels[0] == 4, labels[-1] == 4
        new = late & ~early
        if new.sum() > 12:
            pinched = True
            # Once a pore is there it is there in every later frame.
            assert (labels[-2] == 4)[new].mean() > 0.5
    assert pinched
