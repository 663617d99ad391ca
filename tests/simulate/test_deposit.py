from itertools import pairwise

import cv2
import numpy as np
import pytest

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.deposit.shot import draw_deposit
from amseg_keras.simulate.detector import expose
from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges.deposit import DLS, DLS_REFERENCE
from amseg_keras.simulate.shot import View

SUBSTRATE, PORE = CLASS_NAMES.index("substrate"), CLASS_NAMES.index("pore")


def shot(seed, ranges=DLS, shape=(200, 400), material="SS316L", speed=4.0):
    experiment = Experiment("ded", material, material, (350.0, 350.0), (speed, speed))
    view = View(shape, 6.67, 1000.0)
    return draw_deposit(np.random.default_rng(seed), view, experiment, ranges)


def test_a_seed_always_draws_the_same_shot():
    first, second = shot(1), shot(1)
    assert first.parameters == second.parameters
    assert first.frames == second.frames
    for one, other in zip(first.render(40), second.render(40), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_frame_does_not_depend_on_the_frames_rendered_before():
    drawn = shot(2)
    early = drawn.render(30)
    drawn.render(200)
    for one, other in zip(early, drawn.render(30), strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_have_the_types_and_classes_of_a_shot():
    drawn = shot(3)
    intensity, labels = drawn.render(drawn.frames // 2)
    assert intensity.dtype == np.float32
    assert labels.dtype == np.uint8
    assert intensity.shape == labels.shape == (200, 400)
    assert set(np.unique(labels)) <= {0, SUBSTRATE, PORE, IGNORE}
    assert np.isfinite(intensity).all()


def test_parameters_are_plain_and_say_what_was_asked_for():
    parameters = shot(4, speed=2.5).parameters
    assert parameters["process"] == "ded"
    assert parameters["speed_mm_s"] == 2.5
    assert parameters["power_W"] == 350.0
    assert parameters["scan_direction"] in (-1, 1)
    assert all(type(value) in (int, float, str, bool) for value in parameters.values())


@pytest.mark.parametrize("seed", range(5))
def test_pores_lie_under_the_surface(seed):
    drawn = shot(seed)
    frame = drawn.frames // 2
    _, labels = drawn.render(frame)
    rows, columns = np.nonzero(labels == PORE)
    assert (rows >= drawn.surface(frame)[columns]).all()


@pytest.mark.parametrize("material", ["SS316L", "IN625", "Ti6Al4V"])
def test_gas_is_brighter_than_the_deposit(material):
    drawn = shot(6, material=material)
    intensity, labels = drawn.render(drawn.frames // 3)
    assert intensity[labels == 0].mean() > 1.8 * intensity[labels == SUBSTRATE].mean()


def test_the_deposit_grows_where_the_laser_has_passed():
    drawn = shot(7)
    height = [drawn.track.old - drawn.surface(frame) for frame in (0, 200, 400, drawn.frames)]
    for earlier, later in pairwise(height):
        assert (later >= earlier - 1e-3).all()
    np.testing.assert_allclose(height[-1], drawn.track.bead, rtol=0.05)


def test_the_deposit_grows_by_less_than_its_bead_between_two_frames():
    drawn = shot(8)
    growth = drawn.surface(150) - drawn.surface(151)
    assert 0 <= growth.max() < 0.1 * drawn.track.bead.max()


def test_pores_stay_and_keep_their_size_once_they_are_frozen():
    pores = [pore for seed in range(6) for pore in shot(seed).pores if np.isinf(pore.escape)]
    assert len(pores) > 10
    for pore in pores:
        after = max(pore.frozen, 0.0)
        assert pore.at(after + 1) == pytest.approx(pore.at(after + 500))


def test_new_pores_grow_and_move_in_the_melt():
    pores = [pore for seed in range(6) for pore in shot(seed).pores if pore.birth > 0]
    for pore in pores:
        assert pore.at(pore.birth - 1)[2] == 0
        young, old = pore.at(pore.birth), pore.at(pore.frozen)
        assert 0 < young[2] < old[2] == pytest.approx(pore.radius)
        assert young[:2] != old[:2]


def test_bright_pores_are_brighter_and_dark_ones_darker_than_the_deposit():
    found = set()
    for seed in range(20):
        drawn = shot(seed)
        intensity, labels = drawn.render(drawn.frames)
        blurred = cv2.blur(intensity, (31, 31))
        for pore in drawn.pores:
            column, row, radius = pore.at(drawn.frames)
            near = (round(row), round(column))
            inside = 20 < near[0] < 180 and 20 < near[1] < 380
            alone = (labels[near[0] - 25 : near[0] + 25, near[1] - 25 : near[1] + 25] == 0).sum()
            if not inside or radius < 4 or alone or labels[near] != PORE:
                continue
            found.add(pore.path_um > 0)
            assert (intensity[near] < blurred[near]) == (pore.path_um > 0)
    assert found == {True, False}


def test_pores_that_the_noise_hides_are_left_out():
    drawn = shot(0)
    loud = type(drawn.detector)(
        **{**vars(drawn.detector), "read_noise": 100.0, "photon_noise": 0.0}
    )
    hidden = type(drawn)(**{**vars(drawn), "detector": loud})
    _, labels = hidden.render(drawn.frames)
    assert (labels == IGNORE).any()
    assert not (labels == PORE).any()


def test_reference_ranges_give_the_grey_levels_of_the_real_frame():
    # Measured on the real frame: means, and standard deviation minus a blur of sigma 8.
    rng = np.random.default_rng(0)
    gas, deep, top, noise = [], [], [], []
    for seed in range(12):
        drawn = shot(seed, DLS_REFERENCE)
        frame = drawn.frames // 2
        intensity, _ = drawn.render(frame)
        grey = expose(rng, intensity, drawn.detector).astype(np.float32)
        depth = np.arange(200)[:, None] - drawn.surface(frame)
        detail = grey - cv2.GaussianBlur(grey, (0, 0), 8)
        gas.append(grey[depth < -15].mean())
        top.append(grey[(depth >= 20) & (depth < 30)].mean())
        deep.append(grey[(depth >= 50) & (depth < 60)].mean())
        noise.append(detail[depth < -15].std())
    assert np.mean(gas) == pytest.approx(224, abs=6)
    assert np.mean(top) == pytest.approx(86, abs=12)
    assert np.mean(deep) == pytest.approx(59, abs=8)
    assert np.mean(noise) == pytest.approx(6.9, abs=1.0)
