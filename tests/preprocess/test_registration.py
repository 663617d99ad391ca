"""Registration: shifts are found to a fraction of a pixel, keyhole or not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as spline_shift
from stacks import Counting, noisy, texture

from amseg_keras.preprocess import BackgroundPolicy, Register, find_shift, motion, move
from amseg_keras.preprocess.registration import find_drift
from amseg_keras.read import ReadError, open_stack


@settings(max_examples=25, deadline=None)
@given(down=st.floats(-6, 6), right=st.floats(-6, 6), seed=st.integers(0, 5))
def test_a_known_shift_is_found(down, right, seed):
    scene = texture(seed=seed)
    found = find_shift(scene(down, right), scene())
    assert found == pytest.approx((-down, -right), abs=0.1)


@settings(max_examples=15, deadline=None)
@given(down=st.floats(-3, 3), right=st.floats(-3, 3))
def test_noise_and_a_moving_keyhole_do_not_pull_it_along(down, right):
    scene, rng = texture(192, 256), np.random.default_rng(0)
    first, second = scene(), scene(down, right)
    first[40:110, 60:90] *= 1.3
    second[40:110, 100:130] *= 1.3
    noise = rng.normal(0, 20, (2, 192, 256))
    found = find_shift(second + noise[0], first + noise[1])
    assert found == pytest.approx((-down, -right), abs=0.2)


def test_moving_agrees_with_the_scene_between_pixels():
    scene = texture()
    np.testing.assert_allclose(
        move(scene(), (0.4, -1.3))[8:-8, 8:-8], scene(0.4, -1.3)[8:-8, 8:-8], atol=3
    )


def test_a_whole_shift_changes_no_level():
    frame = noisy(1)[0]
    np.testing.assert_array_equal(move(frame, (2, -3))[2:, :-3], frame[:-2, 3:])


def test_shaking_frames_come_to_rest_and_their_shifts_are_told():
    scene, shifts = texture(), [(0, 0), (1.5, -2.25), (-0.75, 3)]
    resting = Register().apply(np.stack([scene(*shift) for shift in shifts]))
    for index, (down, right) in enumerate(shifts):
        np.testing.assert_allclose(resting[index][10:-10, 10:-10], scene()[10:-10, 10:-10], atol=8)
        position = resting.positions(index)
        assert position["shift_y_px"] == pytest.approx(-down, abs=0.1)
        assert position["shift_x_px"] == pytest.approx(-right, abs=0.1)


def test_a_mistaken_match_is_left_where_it_is():
    scene = texture()
    stack = np.stack([scene(), scene(0, 9)])
    resting = Register(largest=5).apply(stack)
    np.testing.assert_array_equal(resting[1], stack[1].astype(np.float32))
    assert math.isnan(resting.positions(1)["shift_x_px"])


def test_the_reference_is_the_first_frame_that_can_be_read():
    scene = texture()
    frames = Counting(np.stack([scene(), scene(), scene(1, 0)]), broken=(0,))
    resting = Register().apply(frames)
    assert resting.measured == {"reference_frame": 1}
    assert resting.positions(2)["shift_y_px"] == pytest.approx(-1, abs=0.1)
    with pytest.raises(ReadError):
        resting[0]


@pytest.mark.parametrize(
    "frames",
    [np.full((2, 64, 64), 7), np.random.default_rng(0).normal(100, 9, (2, 64, 64))],
    ids=["flat", "noise"],
)
def test_frames_with_nothing_in_common_are_not_moved(frames):
    assert np.isnan(find_shift(*frames)).all()
    np.testing.assert_array_equal(Register().apply(frames)[1], frames[1].astype(np.float32))


def test_frames_too_small_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="8 x 40 are too small to register"):
        Register().apply(noisy(2, 8, 40))


def test_a_shift_of_real_frames_is_found(real_data):
    with open_stack(real_data / "aps_ti64_frames") as stack:
        first, later = (stack[index].astype(float) for index in (0, 3))
    down, right = find_shift(later, first)
    shaken = spline_shift(later, (1.3, -2.4), order=3, mode="nearest")
    assert find_shift(shaken, first) == pytest.approx((down - 1.3, right + 2.4), abs=0.15)


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
