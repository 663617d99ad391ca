import numpy as np
import pytest
from scipy.signal import periodogram

from amseg_keras.simulate import FACILITIES, MATERIALS
from amseg_keras.simulate.process import (
    Experiment,
    Pore,
    chaos,
    draw_laser,
    keyhole_depth_um,
    keyhole_number,
    move_keyhole,
    number_for_depth,
    oscillate,
)


def test_keyhole_number_is_absorbed_power_over_the_power_that_melting_takes():
    thermal = MATERIALS["SS316L"].thermal
    radius, speed = 40e-6, 0.8
    heat_per_volume = thermal.density * thermal.heat * (thermal.liquidus_k - 293.0)
    needed = np.pi * heat_per_volume * (thermal.diffusivity * speed * radius**3) ** 0.5
    expected = thermal.absorptivity * 250.0 / needed
    assert keyhole_number(MATERIALS["SS316L"], 250.0, 800.0, 40.0) == pytest.approx(expected)


def test_keyhole_is_as_deep_as_on_the_frames_of_aps_at_their_power_and_speed():
    # 200 W and 500 mm/s on Ti-6Al-4V: 83 rows of 2.0 um in the labels of the tenth frame.
    number = keyhole_number(MATERIALS["Ti6Al4V"], 200.0, 500.0, 45.0)
    assert keyhole_depth_um(number, 45.0) == pytest.approx(166, rel=0.2)


def test_more_power_or_a_slower_scan_drills_deeper():
    alloy = MATERIALS["Ti6Al4V"]
    usual = keyhole_number(alloy, 200.0, 800.0, 45.0)
    assert keyhole_number(alloy, 300.0, 800.0, 45.0) > usual
    assert keyhole_number(alloy, 200.0, 400.0, 45.0) > usual
    assert keyhole_number(MATERIALS["Al"], 200.0, 800.0, 45.0) < usual


def test_depth_and_keyhole_number_are_each_others_inverse():
    assert keyhole_depth_um(number_for_depth(123.0, 37.0), 37.0) == pytest.approx(123.0)
    assert number_for_depth(-10.0, 40.0) < 1.4


def test_drawn_lasers_keep_to_the_limits_of_the_experiment():
    rows = FACILITIES["esrf"].experiments
    rng = np.random.default_rng(0)
    lasers = [draw_laser(rng, row, (25.0, 85.0), (-15.0, 240.0)) for row in rows for _ in range(40)]
    assert min(laser.power_W for laser in lasers) >= 100
    assert max(laser.power_W for laser in lasers) <= 600
    assert min(laser.speed_mm_s for laser in lasers) >= 200
    assert max(laser.speed_mm_s for laser in lasers) <= 1800
    assert {laser.direction for laser in lasers} == {-1, 1}


def test_deeper_keyholes_come_with_more_power_per_speed():
    row = Experiment("welding", "Ti6Al4V", "Ti6Al4V", (100.0, 600.0), (200.0, 1800.0))
    rng = np.random.default_rng(1)

    def median_ratio(depth: float) -> float:
        lasers = [draw_laser(rng, row, (35.0, 55.0), (depth, depth)) for _ in range(60)]
        return float(np.median([laser.power_W / laser.speed_mm_s for laser in lasers]))

    assert median_ratio(180.0) > 1.5 * median_ratio(40.0)


def test_unknown_process_is_named():
    with pytest.raises(ValueError, match="casting"):
        Experiment("forging", "Al", "Al", (1.0, 2.0), (1.0, 2.0))


def test_oscillation_has_unit_variance_and_its_frequency():
    swing = oscillate(np.random.default_rng(2), 40_000, cycles_per_frame=0.125, quality=5.0)
    assert swing.std() == pytest.approx(1.0, abs=0.05)
    assert swing.mean() == pytest.approx(0.0, abs=0.05)
    frequency, power = periodogram(swing)
    smooth = np.convolve(power, np.ones(401) / 401, "same")
    assert frequency[smooth.argmax()] == pytest.approx(0.125, rel=0.08)


def test_high_keyhole_numbers_fluctuate_more_and_pinch_off_more():
    def motions(number: float) -> list:
        seeds = range(60)
        return [move_keyhole(np.random.default_rng(s), 200, number, 0.12) for s in seeds]

    calm, wild = motions(3.0), motions(11.0)
    assert np.mean([m.fluctuation for m in wild]) > 2 * np.mean([m.fluctuation for m in calm])
    assert np.mean([len(m.pinch_offs) for m in wild]) > 3 * np.mean(
        [len(m.pinch_offs) for m in calm]
    )


def test_keyhole_loses_depth_when_it_pinches_off_and_recovers():
    motion = next(
        motion
        for seed in range(50)
        if (motion := move_keyhole(np.random.default_rng(seed), 300, 11.0, 0.12)).pinch_offs
    )
    frame = motion.pinch_offs[0]
    undisturbed = 1 + motion.fluctuation * motion.swing
    left = motion.depth / np.maximum(undisturbed, 0.15)
    assert left[frame + 1] < 0.85 * left[frame]


def test_a_keyhole_needs_time_to_form():
    motion = move_keyhole(np.random.default_rng(3), 200, 3.0, 0.1)
    assert motion.depth[0] < 0.4 * motion.depth[60:].mean()


def test_chaos_rises_with_the_keyhole_number():
    assert chaos(2.0) < 0.1 < chaos(5.0) < 0.5 < chaos(8.0) < 0.95 < chaos(12.0)


def test_pore_grows_and_drifts_until_it_is_frozen():
    pore = Pore(10, (100.0, 80.0), 20.0, 0.4, 5.0, (3.0, 1.0), 30, np.inf, 15.0, 1)
    assert pore.at(9) is None
    places = np.array([pore.at(frame) for frame in range(10, 60)])
    assert (np.diff(places[:20, 0]) > 0).all()
    assert (np.diff(places[:20, 2]) > 0).all()
    # Growth is 40 % in the end, of which 98 % are reached after four times the pace.
    assert places[-1, 2] == pytest.approx(28.0, rel=0.01)
    np.testing.assert_array_equal(places[20:], np.broadcast_to(places[20], (30, 3)))


def test_pore_that_bursts_shrinks_and_is_gone():
    pore = Pore(0, (100.0, 80.0), 20.0, 0.0, 4.0, (0.0, 0.0), 50, 20, 15.0, 1)
    assert pore.at(18)[2] < pore.at(10)[2]
    assert pore.at(20) is None
