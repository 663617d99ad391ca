"""The drift of a specimen is found, and backgrounds follow it where that is asked for."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from amseg_keras.preprocess import BackgroundPolicy, motion, move
from amseg_keras.preprocess.registration import find_drift


def plate(shape=(64, 96)):
    texture = gaussian_filter(np.random.default_rng(0).normal(0, 300, shape), 1.5)
    return (2000 + texture).astype(np.float32)


def drifting(count=40, step=0.1):
    rng, still = np.random.default_rng(1), plate()
    return np.stack(
        [move(still, (step * number, 0)) + rng.normal(0, 4, still.shape) for number in range(count)]
    ).astype(np.float32)


def test_the_drift_is_the_largest_shift_against_the_middle_frame():
    found = BackgroundPolicy().of_stack(drifting())
    assert found.drift.largest_px == pytest.approx(0.1 * found.drift.reference, abs=0.15)
    assert found.record()["drift_px"] == found.drift.largest_px


def test_a_drift_is_said():
    assert "the specimen drifts by up to" in BackgroundPolicy().of_stack(drifting()).notes[0]


@pytest.mark.parametrize("text", ["auto", "previous:5,5", "so-far"])
def test_a_specimen_at_rest_needs_no_note(text):
    backgrounds = BackgroundPolicy.parse(text).of_stack(drifting(step=0))
    assert backgrounds.notes == ()
    assert backgrounds.record()["drift_px"] == 0


@pytest.mark.parametrize("frames", [{}, {0: plate()}, {0: plate((9, 90)), 1: plate((9, 90))}])
def test_of_too_little_no_drift_is_found(frames):
    assert find_drift(frames) is None


def test_registered_backgrounds_have_fewer_ghosts():
    stack = drifting()
    inner = (slice(8, -8), slice(8, -8))

    def spread_of_ratio(text):
        background = BackgroundPolicy.parse(text).of_stack(stack).of(39)
        return np.std(np.log(stack[39] / background)[inner])

    assert spread_of_ratio("recording+register") < 0.2 * spread_of_ratio("recording")


def test_registered_backgrounds_do_not_depend_on_the_order():
    stack = drifting(20)
    policy = BackgroundPolicy("recording", registered=True)
    forwards, backwards = policy.of_stack(stack), policy.of_stack(stack)
    first = forwards.of(3)
    backwards.of(18)
    np.testing.assert_array_equal(backwards.of(3), first)


def test_registration_is_recorded():
    record = BackgroundPolicy.parse("auto+register").of_stack(drifting(20)).record()
    assert record["registered"]
    assert record["asked"] == "auto+register"
    assert record["background"] == "recording"


def test_of_a_drifting_plate_the_registered_motion_is_small():
    stack = drifting()
    background = BackgroundPolicy("recording", registered=True).of_stack(stack).of(39)
    assert np.abs(motion(stack[39], background))[8:-8, 8:-8].max() < 0.8
