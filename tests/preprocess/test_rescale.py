"""Frames are brought to another scale, and labels back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.preprocess.rescale import (
    checked_scale,
    labels_of_shape,
    rescale,
    scale_between,
    scaled_shape,
)


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
