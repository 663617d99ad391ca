"""None"""

from dataclasses import replace

import numpy as np
import pytest

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate import FACILITIES, MeltRanges, record, simulate_frame, simulate_sequence
from amseg_keras.simulate.melt.frame import compose
from amseg_keras.simulate.ranges import PLAIN
from amseg_keras.simulate.ranges.melt import APS_REFERENCE, ESRF
from amseg_keras.simulate.recording import draw_shot


def drawn(seed, process, ranges=ESRF, facility="esrf", shape=None):
    place = replace(FACILITIES[facility], ranges=ranges)
    return draw_shot(np.random.default_rng(seed), place, process, shape)


def test_class_order():
    assert CLASS_NAMES == ("background", "powder", "substrate", "keyhole", "pore")


def test_same_seed_same_frame_another_seed_another_frame():
    first, first_labels = simulate_frame(np.random.default_rng(7))
    again, again_labels = simulate_frame(np.random.default_rng(7))
    other, _ = simulate_frame(np.random.default_rng(8))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first_labels, again_labels)
    assert first.shape == other.shape
    assert (first != other).any()


@pytest.mark.parametrize("facility", sorted(FACILITIES))
@pytest.mark.parametrize("shape", [(192, 256), (700, 1200)])
def test_any_shape_at_any_facility(facility, shape):
    frame, labels = simulate_frame(np.random.default_rng(1), shape, facility)
    assert frame.shape == labels.shape == shape
    assert frame.dtype in (np.uint8, np.uint16)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 2, 3, 4, 255}


def test_twenty_frames_show_every_class_and_several_depths():
    frames = [simulate_frame(np.random.default_rng((3, i))) for i in range(20)]
    assert set(np.concatenate([np.unique(labels) for _, labels in frames])) >= {0, 1, 2, 3, 4}
    assert {str(frame.dtype) for frame, _ in frames} == {"uint8", "uint16"}
    # A frame in which everything is clipped away teaches nothing.
    assert min(np.ptp(frame) for frame, _ in frames) > 40


def test_powder_lies_on_the_substrate_and_gas_above_both():
    labels = drawn(11, "lpbf").render(5)[1]
    rows = {name: np.argwhere(labels == i)[:, 0] for i, name in enumerate(CLASS_NAMES)}
    for column in range(0, 512, 37):
        powder = np.flatnonzero(labels[:, column] == 1)
        substrate = np.flatnonzero(labels[:, column] == 2)
        if powder.size:
            assert powder.max() < substrate.min()
    assert rows["background"].mean() < rows["powder"].mean() < rows["substrate"].mean()


def test_welding_has_no_powder():
    for seed in range(4):
        assert 1 not in drawn(seed, "welding").render(0)[1]


def test_spatter_is_labelled_background():
    busy = MeltRanges(swarm=(120, 120))
    shot = drawn(1, "lpbf", busy)
    _, labels = shot.render(0)
    swarm = shot.airborne[0].at(0).place.round().astype(int)
    inside = (swarm >= 0).all(axis=1) & (swarm < (512, 256)).all(axis=1)
    columns, rows = swarm[inside].T
    above = rows < shot.stage.ceiling[columns] - 20
    assert above.sum() > 10
    assert (labels[rows[above], columns[above]] == 0).all()


def test_keyhole_opens_at_the_surface():
    opened = 0
    for seed in range(12):
        shot = drawn(seed, "welding")
        labels = shot.render(shot.frames // 2)[1]
        rows, columns = np.nonzero(labels == 3)
        if rows.size:
            opened += 1
            highest = rows.argmin()
            assert rows[highest] <= shot.stage.surface[columns[highest]] + 2
    assert opened > 3


def test_keyhole_is_as_deep_as_its_parameters_say():
    steady = MeltRanges(keyhole_depth_um=(150.0, 200.0), keyhole_sigmas=(2.0, 2.2))
    found, said = [], []
    for seed in range(6):
        shot = drawn(seed, "welding", steady)
        for frame in range(shot.frames // 3, shot.frames, 5):
            rows, columns = np.nonzero(shot.render(frame)[1] == 3)
            if rows.size and 15 < shot.laser_px(frame) < 495:
                surface = shot.stage.surface[columns[rows.argmax()]]
                found.append((rows.max() - surface) * 4.31)
                said.append(
                    shot.parameters["mean_keyhole_depth_um"] * shot.scan.motion.depth[frame]
                )
    assert np.mean(found) == pytest.approx(np.mean(said), rel=0.15)


def test_a_pore_that_overlaps_the_keyhole_is_part_of_it():
    clear = MeltRanges(
        keyhole_sigmas=(2.2, 2.2),
        pore_sigmas=(3.0, 3.5),
        earlier_pores=(0, 0),
        porous=0.0,
        faint=0.0,
        shallow=0.0,
        narrow=0.0,
        standing=0.0,
    )
    shot = drawn(3, "welding", clear)
    moment = shot.moment(shot.frames // 2)
    middle = moment.keyhole.outline[:, 0].mean()
    row = float(shot.stage.surface[int(middle)]) + 8

    def disc(column):
        angle = np.linspace(0, 2 * np.pi, 30)
        outline = np.stack((column + 9 * np.cos(angle), row + 9 * np.sin(angle)), 1)
        return replace(moment.keyhole, outline=outline)

    beside = replace(moment, pores=(disc(middle + 14), disc(middle + 80)))
    labels = compose(shot.stage, shot.still, beside).labels.frame
    assert labels[int(row), int(middle) + 14] == 3
    assert labels[int(row), int(middle) + 80] == 4


def test_invisible_voids_are_ignored():
    faint = {"keyhole_sigmas": (1e-4, 1e-3), "keyhole_extra": (0.0, 0.0001)}
    faint |= {"pore_sigmas": (1e-4, 1e-3), "pore_extra": (0.0, 0.0001)}
    for seed in range(3):
        assert not np.isin(drawn(seed, "welding", MeltRanges(**faint)).render(3)[1], (3, 4)).any()


def test_gas_is_brighter_than_the_plate():
    intensity, labels = drawn(5, "welding", MeltRanges()).render(0)
    assert intensity[labels == 0].mean() > 1.05 * intensity[labels == 2].mean()


def test_clipped_beam_leaves_the_gas_darker_than_the_plate():
    shot = drawn(2, "welding", APS_REFERENCE, "aps")
    intensity, labels = shot.render(0)
    seen = intensity * shot.detector.beam
    assert seen[labels == 0].mean() < 0.7 * seen[labels == 2].mean()


def test_everything_above_a_clipped_beam_is_labelled_gas():
    shot = drawn(2, "welding", APS_REFERENCE, "aps")
    _, labels = shot.render(shot.frames // 2)
    rows = np.arange(labels.shape[0])[:, None]
    assert (shot.stage.clip - shot.stage.surface).min() > 4
    assert set(np.unique(labels[rows < shot.stage.clip])) == {0}
    assert (labels[rows >= shot.stage.clip + 1] != 0).any()


def test_keyhole_brightens_the_plate_as_its_length_along_the_beam_says():
    shot = drawn(3, "welding", replace(APS_REFERENCE, liquid_lacking=(0.0, 0.0)), "aps")
    _, labels = shot.render(shot.frames // 2)
    slope = shot.stage.beam.slope
    expected = np.exp(slope * shot.keyhole_path_um)
    intensity, _ = shot.render(shot.frames // 2)
    rows, columns = np.nonzero(labels == 3)
    middle = np.zeros(labels.shape, bool)
    middle[int(np.median(rows)), int(np.median(columns)) - 2 : int(np.median(columns)) + 3] = True
    near = (labels == 2) & (np.abs(np.arange(labels.shape[1]) - np.median(columns)) < 80)
    near &= np.abs(np.arange(labels.shape[0])[:, None] - np.median(rows)) < 10
    measured = intensity[middle & (labels == 3)].mean() / intensity[near].mean()
    assert measured == pytest.approx(expected, rel=0.08)


def test_bad_ranges_are_named():
    with pytest.raises(ValueError, match="tilt_deg"):
        MeltRanges(tilt_deg=(3.0, -3.0))
    with pytest.raises(ValueError, match="clipped"):
        MeltRanges(clipped=1.5)


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


def test_no_light_is_without_bound_in_a_frame_of_few_pixels():
    tiny = record("aps", 4, 15, shape=(48, 80))
    assert np.isfinite(tiny._light(tiny._number(2))).all()
