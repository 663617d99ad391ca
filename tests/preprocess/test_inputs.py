"""The motion channel is what its definition says, whatever the grey levels are."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amseg_keras.preprocess import Channels, GreyRange, motion
from amseg_keras.preprocess.inputs import (
    checked_scale,
    labels_of_shape,
    rescale,
    scale_between,
    scaled_shape,
)

RANGE = GreyRange(100.0, 4000.0, 1.0)
BOTH = Channels(("frame", "motion"))
DTYPES = ["uint8", "uint16", "int16", "int32", "float32", "float64"]


def defined(frame, background):
    """The definition, in float64."""
    frame, background = np.asarray(frame, float), np.asarray(background, float)
    least = 0.01 * np.mean(np.maximum(background, 0))
    change = np.log(np.maximum(frame, least)) - np.log(np.maximum(background, least))
    some = change[::2, ::2][frame[::2, ::2] != background[::2, ::2]]
    change -= np.median(some)
    sigma = 1.4826 * np.median(np.abs(some - np.median(some)))
    return np.clip(change / max(sigma, 0.002) / 10, -1, 1)


def noisy(seed=0, shape=(64, 80)):
    return np.random.default_rng(seed).normal(1000, 12, shape)


def test_motion_is_the_log_ratio_over_ten_robust_standard_deviations():
    frame, background = noisy(0), noisy(1)
    frame[10:20, 10:20] *= 1.1
    np.testing.assert_allclose(motion(frame, background), defined(frame, background), atol=1e-4)


def test_a_change_of_ten_standard_deviations_reaches_the_end():
    background = np.full((200, 200), 1000.0)
    frame = background * np.exp(np.random.default_rng(0).normal(0, 0.01, background.shape))
    frame[50, 50], frame[60, 60] = 1000 * np.exp(0.05), 1000 * np.exp(-0.2)
    moved = motion(frame, background)
    assert moved[50, 50] == pytest.approx(0.5, abs=0.02)
    assert moved[60, 60] == -1


@pytest.mark.parametrize("factor", [1 / 16, 0.5, 16, 1000])
def test_the_gain_of_the_detector_does_not_matter(factor):
    frame, background = noisy(0), noisy(1)
    scaled = motion(frame * factor, background * factor)
    np.testing.assert_allclose(scaled, motion(frame, background), atol=1e-4)


def test_a_flicker_of_the_beam_is_no_motion():
    frame, background = noisy(0), noisy(1)
    np.testing.assert_allclose(
        motion(1.3 * frame, background), motion(frame, background), atol=1e-4
    )


@pytest.mark.parametrize("level", [0.0, 4095.0])
def test_a_constant_part_of_the_frame_does_not_change_the_rest(level):
    frame, background = noisy(0), noisy(1)
    framed = [np.pad(one, ((100, 0), (0, 0)), constant_values=level) for one in (frame, background)]
    np.testing.assert_allclose(motion(*framed)[100:], motion(frame, background), atol=1e-4)


def test_a_frame_that_equals_its_background_is_blank():
    assert not motion(np.full((9, 7), 255, "uint8"), np.full((9, 7), 255, "uint8")).any()


def test_where_there_is_no_background_motion_is_blank():
    assert not motion(noisy(), None).any()


@pytest.mark.parametrize("level", [0, -40])
def test_a_background_without_light_gives_a_blank_motion(level):
    assert not motion(noisy(), np.full((64, 80), float(level))).any()


def test_a_background_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(64, 80\).*\(64, 64\)"):
        motion(noisy(), noisy(1, (64, 64)))


def levels_of(dtype):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return st.floats(-2e5, 2e5, width=32)
    info = np.iinfo(kind)
    return st.sampled_from([info.min, 0, 1, 7, info.max // 2, info.max])


@given(data=st.data(), dtype=st.sampled_from(DTYPES), height=st.integers(1, 9))
@settings(deadline=None, max_examples=150)
def test_any_grey_levels_give_finite_channels_without_a_warning(data, dtype, height):
    shape = (height, data.draw(st.integers(1, 9)))
    frame = data.draw(hnp.arrays(dtype, shape, elements=levels_of(dtype)))
    background = data.draw(hnp.arrays("float32", shape, elements=st.floats(-1e5, 1e5, width=32)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = BOTH.make(frame, RANGE, background)
    assert made.shape == (*shape, 2)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_channels_are_in_the_units_of_the_network():
    frame, background = noisy(0), noisy(1)
    made = BOTH.make(frame, GreyRange(900.0, 1100.0, 255.0), background)
    np.testing.assert_allclose(made[..., 0], np.clip((frame - 900) * 255 / 200, 0, 255), atol=1e-3)
    expected = 127.5 + 127.5 * defined(frame, background)
    np.testing.assert_allclose(made[..., 1], expected, atol=0.02)


def test_a_blank_motion_is_the_middle_of_the_input():
    made = BOTH.make(noisy(), GreyRange(900.0, 1100.0, 255.0))
    assert (made[..., 1] == 127.5).all()


def test_one_channel_is_the_scaled_frame():
    frame = noisy()
    made = Channels().make(frame, RANGE, noisy(1))
    np.testing.assert_array_equal(made[..., 0], RANGE.apply(frame))
    assert made.shape == (64, 80, 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("frame", "colour"), "no input channel is called 'colour'; there are frame, motion"),
        (("motion", "frame"), "the first must be frame"),
        (("frame", "frame"), "each may be there once"),
        ((), "the first must be frame"),
    ],
)
def test_impossible_channels_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        Channels(names)


def test_channels_are_read_as_they_are_described():
    assert Channels.from_description(BOTH.description()) == BOTH


def test_a_channel_made_otherwise_is_refused():
    with pytest.raises(ValueError, match="does not know; update it"):
        Channels.from_description([{"name": "frame", "made": "by_magic"}])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float64"])
def test_frames_that_shrink_are_averaged_over_areas(dtype):
    frame = np.random.default_rng(0).integers(0, 200, (24, 36)).astype(dtype)
    expected = frame.reshape(8, 3, 12, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(rescale(frame, (8, 12)), expected, rtol=1e-5)


def test_frames_that_grow_keep_a_ramp():
    ramp = np.tile(np.arange(20.0), (20, 1))
    grown = rescale(ramp, (40, 40))
    expected = (np.arange(40) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(grown[20, 6:-6], expected[6:-6], atol=0.02)


def test_a_frame_of_the_wanted_size_is_the_same():
    frame = np.arange(6, dtype="uint16").reshape(2, 3)
    np.testing.assert_array_equal(rescale(frame, (2, 3)), frame)


@given(height=st.integers(1, 60), width=st.integers(1, 60), factor=st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_labels_come_back_to_the_size_of_the_frame(height, width, factor):
    shape = scaled_shape((height, width), factor)
    assert rescale(np.ones((height, width)), shape).shape == shape
    labels = np.random.default_rng(0).integers(0, 5, shape).astype(np.uint8)
    back = labels_of_shape(labels, (height, width))
    assert back.shape == (height, width)
    assert back.dtype == np.uint8
    assert set(np.unique(back)) <= set(np.unique(labels))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_enlarged_labels_shrink_to_themselves(factor):
    labels = np.random.default_rng(0).integers(0, 5, (13, 17)).astype(np.uint8)
    grown = labels_of_shape(labels, (13 * factor, 17 * factor))
    np.testing.assert_array_equal(grown, np.kron(labels, np.ones((factor, factor), np.uint8)))
    np.testing.assert_array_equal(labels_of_shape(grown, labels.shape), labels)


@pytest.mark.parametrize(
    ("own", "trained", "expected"),
    [(2.0, 4.0, 0.5), (8.0, 4.0, 2.0), (None, 4.0, 1.0), (4.0, None, 1.0), (4.15, 4.0, 1.0)],
)
def test_the_scale_gives_frames_the_pixel_size_of_the_training(own, trained, expected):
    assert scale_between(own, trained) == expected


@pytest.mark.parametrize("factor", [0.0, 0.05, 11.0, -1.0, float("nan")])
def test_an_impossible_scale_is_refused(factor):
    with pytest.raises(ValueError, match="is not possible; take a factor"):
        checked_scale(factor)
