import numpy as np
import pytest

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate import ESRF, Ranges, simulate_frame
from amseg_keras.simulate.scene import compose, draw_moment
from amseg_keras.simulate.stage import draw_stage

IDS = {0, 1, 2, 3, 4, 255}


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


@pytest.mark.parametrize("shape", [(256, 512), (192, 256), (700, 1200)])
def test_shapes_types_and_ids(shape):
    frame, labels = simulate_frame(np.random.default_rng(1), shape)
    assert frame.shape == labels.shape == shape
    assert frame.dtype in (np.uint8, np.uint16)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= IDS


def test_twenty_frames_show_every_class_and_both_depths():
    frames = [simulate_frame(np.random.default_rng((3, i))) for i in range(20)]
    assert set(np.concatenate([np.unique(labels) for _, labels in frames])) >= {0, 1, 2, 3, 4}
    assert {frame.dtype for frame, _ in frames} >= {np.dtype("uint8")}
    # A frame in which everything is clipped away teaches nothing.
    assert min(np.ptp(frame) for frame, _ in frames) > 100


def test_powder_lies_on_the_substrate_and_gas_above_both():
    rng = np.random.default_rng(11)
    stage = draw_stage(rng, "lpbf", (256, 512), ESRF)
    _, labels = compose(stage, draw_moment(rng, stage, ESRF))
    rows = {name: np.argwhere(labels == i)[:, 0] for i, name in enumerate(CLASS_NAMES)}
    for column in range(0, 512, 37):
        powder = np.flatnonzero(labels[:, column] == 1)
        substrate = np.flatnonzero(labels[:, column] == 2)
        if powder.size:
            assert powder.max() < substrate.min()
    assert rows["background"].mean() < rows["powder"].mean() < rows["substrate"].mean()


def test_welding_has_no_powder():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        stage = draw_stage(rng, "welding", (256, 512), ESRF)
        assert 1 not in compose(stage, draw_moment(rng, stage, ESRF))[1]


def test_keyhole_opens_at_the_surface():
    opened = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        stage = draw_stage(rng, "welding", (256, 512), ESRF)
        _, labels = compose(stage, draw_moment(rng, stage, ESRF))
        rows, columns = np.nonzero(labels == 3)
        if rows.size:
            opened += 1
            highest = rows.argmin()
            assert rows[highest] <= stage.surface[columns[highest]] + 2
    assert opened > 3


def test_invisible_voids_are_ignored():
    rng = np.random.default_rng(2)
    faint = Ranges(void_sigmas=(0.0, 0.001), void_extra=(0.0, 0.0001))
    for _ in range(3):
        stage = draw_stage(rng, "welding", (256, 512), faint)
        _, labels = compose(stage, draw_moment(rng, stage, faint))
        assert not np.isin(labels, (3, 4)).any()


def test_gas_is_brighter_than_the_plate():
    rng = np.random.default_rng(5)
    stage = draw_stage(rng, "welding", (256, 512), ESRF)
    log, labels = compose(stage, draw_moment(rng, stage, ESRF))
    assert log[labels == 0].mean() > log[labels == 2].mean() + 0.05


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="welding"):
        draw_stage(np.random.default_rng(0), "casting", (256, 512), ESRF)
    with pytest.raises(ValueError, match="tilt_deg"):
        Ranges(tilt_deg=(3.0, -3.0))
