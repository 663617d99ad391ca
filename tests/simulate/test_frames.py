from dataclasses import replace

import numpy as np
import pytest

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate import FACILITIES, MeltRanges, simulate_frame
from amseg_keras.simulate.melt.frame import compose
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
    clear = MeltRanges(keyhole_sigmas=(2.2, 2.2), pore_sigmas=(3.0, 3.5), earlier_pores=(0, 0))
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
