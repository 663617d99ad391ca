"""Grey-level scaling: the same scene gives the same input whatever the detector's depth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.preprocess import GreyRange, GreyScaling
from amseg_keras.read import ReadError


def scene(frames=3, height=40, width=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (frames, height, width), dtype=np.uint8)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.uint16) * 16,
        lambda x: x.astype(np.uint16) * 257,
        lambda x: x.astype(np.int32) - 1000,
        lambda x: x.astype(np.float32) / 255,
        lambda x: x.astype(np.float64) * 1e-6 + 3,
    ],
    ids=["12 bit", "16 bit", "negative", "float32", "float64"],
)
def test_depth_and_offset_do_not_change_the_scaled_frame(convert):
    frames = scene()
    scaled = GreyScaling().measure(frames).apply(frames[0])
    other = GreyScaling().measure(convert(frames)).apply(convert(frames)[0])
    np.testing.assert_allclose(other, scaled, atol=2e-6)


def test_range_is_that_of_the_percentiles_of_the_whole_stack():
    frames = scene()
    measured = GreyScaling(low_percent=5, high_percent=90).measure(frames)
    assert (measured.low, measured.high) == tuple(np.percentile(frames, [5, 90]))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float16", "float32"])
def test_range_does_not_depend_on_how_grey_levels_are_stored(dtype):
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo("float16")
    frames = np.array([[[limits.min, limits.max]]], dtype)
    exact = np.percentile(frames.astype(np.float64), [10, 60])
    measured = GreyScaling(low_percent=10, high_percent=60).measure(frames)
    assert (measured.low, measured.high) == tuple(exact)


def test_a_brighter_frame_does_not_change_the_brightness_of_its_neighbours():
    frames = scene().astype(np.uint16)
    frames[1] += 100
    measured = GreyScaling().measure(frames)
    assert measured.apply(frames[1]).mean() > measured.apply(frames[0]).mean() + 0.2


def test_long_stacks_are_sampled_over_their_whole_length():
    class Ramp:
        """10,000 flat frames that brighten; counts what is read of them."""

        read = 0

        def __len__(self):
            return 10_000

        def __getitem__(self, index):
            Ramp.read += 1
            return np.full((20, 20), index, np.uint16)

    measured = GreyScaling().measure(Ramp())
    assert Ramp.read <= 64
    assert measured.low < 100
    assert measured.high > 9_900


def test_unreadable_frames_are_left_out_of_the_range():
    class OneBroken:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index == 0:
                raise ReadError("0.tif: truncated")
            return np.full((4, 4), 10 * index, np.uint8)

    measured = GreyScaling(low_percent=0, high_percent=100).measure(OneBroken())
    assert (measured.low, measured.high) == (10, 20)


def test_a_stack_without_readable_frames_says_why():
    class Broken:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            raise ReadError(f"{index}.tif: truncated")

    with pytest.raises(ReadError, match=r"0\.tif: truncated"):
        GreyScaling().measure(Broken())


def test_as_is_passes_8_bit_frames_unchanged():
    frames = scene()
    measured = GreyScaling("as_is", top=255.0).measure(frames)
    np.testing.assert_array_equal(measured.apply(frames[0]), frames[0].astype(np.float32))


def test_as_is_stretches_deeper_frames_to_8_bit():
    frames = scene().astype(np.uint16) * 16
    scaled = GreyScaling("as_is", top=255.0).measure(frames).apply(frames[0])
    assert scaled.min() == 0
    assert scaled.max() == 255


def test_a_flat_stack_becomes_black_not_an_error():
    frames = np.full((2, 8, 8), 7, np.uint16)
    assert GreyScaling().measure(frames).apply(frames[0]).max() == 0


@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-3, 1e6),
    values=st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=20),
)
def test_scaled_grey_levels_stay_inside_the_range_and_in_order(low, span, values):
    scaled = GreyRange(low, low + span, 1.0).apply(np.sort(np.array([values])))
    assert scaled.dtype == np.float32
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    assert (np.diff(scaled) >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "no grey scaling is called 'magic'"),
        ({"low_percent": 60, "high_percent": 40}, "must be rising"),
        ({"top": 0}, "must be above 0"),
    ],
)
def test_impossible_scaling_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GreyScaling(**arguments)


def plate_and_gas(gas=1500.0, plate=400.0, noise=15.0):
    """Gas above a plate with a few pores, float64 `(3, 64, 80)`."""
    scene = np.full((3, 64, 80), plate)
    scene[:, 40:44, 30:36] += 3 * noise
    scene += np.random.default_rng(0).normal(0, noise, scene.shape)
    scene[:, :24] = gas
    return scene


@pytest.mark.parametrize("gas", [150.0, 470.0, 600.0, 1500.0, 20000.0])
def test_the_specimen_gets_the_same_input_whatever_the_gas_is(gas):
    """The stretch is made from the plate, not from the beam."""
    stack = plate_and_gas(gas)
    scaled = GreyScaling("specimen").measure(stack).apply(stack[0])[26:]
    median, spread = np.percentile(stack[:, 24:], 50), np.percentile(stack[:, 24:], 2)
    expected = 0.05 + 0.8 * (stack[0, 26:] - spread) / (3 * (median - spread))
    inside = (expected > 0.05) & (expected < 0.85)
    np.testing.assert_allclose(scaled[inside], expected[inside], atol=0.02)


def test_bright_gas_takes_the_upper_end_of_the_input():
    stack = plate_and_gas()
    scaled = GreyScaling("specimen").measure(stack).apply(stack[0])
    assert scaled[:24].min() == 1
    assert scaled[26:].max() < 0.9


@pytest.mark.parametrize(
    "convert",
    [
        lambda scene: np.rint(scene).astype(np.uint16),
        lambda scene: 16 * np.rint(scene).astype(np.uint16),
        lambda scene: (scene - 100) / 3000,
        lambda scene: np.minimum(scene, 700),
    ],
)
def test_versions_of_a_scene_give_the_specimen_the_same_input(convert):
    stack = plate_and_gas()
    scaled = [
        GreyScaling("specimen").measure(one).apply(one[0])[26:] for one in (stack, convert(stack))
    ]
    np.testing.assert_allclose(scaled[0], scaled[1], atol=0.03)


@pytest.mark.parametrize("level", [0, 255])
def test_the_specimen_stretch_of_a_constant_stack_is_zero(level):
    stack = np.full((2, 16, 16), level, np.uint8)
    assert GreyScaling("specimen").measure(stack).apply(stack[0]).max() == 0


def test_a_specimen_without_gas_is_stretched_as_a_whole():
    stack = np.random.default_rng(0).normal(1000, 20, (3, 64, 64))
    measured = GreyScaling("specimen").measure(stack)
    first, median = np.percentile(np.clip(stack, measured.low, measured.high), [2, 50])
    assert measured.specimen_low == pytest.approx(first, abs=0.1)
    assert measured.specimen_high == pytest.approx(median + 2 * (median - first), abs=0.1)


@given(
    stored=st.sampled_from(["uint8", "uint16"]),
    method=st.sampled_from(["percentile", "specimen"]),
    step=st.sampled_from([1, 9, 60]),
    seed=st.integers(0, 1 << 16),
)
def test_counted_grey_levels_give_the_range_of_all_pixels(stored, method, step, seed):
    rng = np.random.default_rng(seed)
    frames = rng.normal(90, 30, (rng.integers(1, 4), *rng.integers(1, 40, 2)))
    frames[:, : frames.shape[1] // 3] += 90  # gas above the plate
    frames = (np.clip(frames, 0, 255) // step * step).astype(stored)
    scaling = GreyScaling(method)
    assert scaling.measure(frames) == scaling.measure(frames.astype(np.float64))
