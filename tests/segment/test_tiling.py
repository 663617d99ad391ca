"""Frames of any size give what the whole frame would."""

import numpy as np
import pytest
from conftest import randomise
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.models import AMSegNet, ResUNet, SqueezeUNet, UNet
from amseg_keras.segment.tiling import MARGIN, OVERLAP, predict_any_size


def brightness(batch):
    """A network that sees one pixel: two channels that add up to one."""
    return np.concatenate([batch, 1 - batch], axis=-1)


@given(height=st.integers(1, 90), width=st.integers(1, 90))
@settings(deadline=None, max_examples=60)
def test_padding_is_cropped_back_at_any_size(height, width):
    frames = np.random.default_rng(0).random((2, height, width), np.float32)
    seen = []

    def network(batch):
        seen.append(batch.shape)
        return brightness(batch)

    out = predict_any_size(network, frames)
    np.testing.assert_array_equal(out[..., 0], frames)
    assert all(side % 16 == 0 for shape in seen for side in shape[1:3])


@given(height=st.integers(1, 900), width=st.integers(270, 900))
@settings(deadline=None, max_examples=30)
def test_tiles_cover_the_frame_once_blended(height, width):
    frames = np.random.default_rng(0).random((1, height, width), np.float32)
    sizes = []

    def network(batch):
        sizes.append(batch.shape[1:3])
        return brightness(batch)

    out = predict_any_size(network, frames, tile=272)
    np.testing.assert_allclose(out[..., 0], frames, atol=1e-6)
    assert max(max(size) for size in sizes) <= 272


@pytest.mark.parametrize("network", [AMSegNet, UNet, ResUNet, SqueezeUNet])
def test_tiled_result_is_that_of_the_whole_frame(network):
    model = randomise(network(base_filters=2))
    frames = np.random.default_rng(0).random((1, 60, 700), np.float32)
    whole = predict_any_size(model.predict_on_batch, frames, tile=1024)
    tiled = predict_any_size(model.predict_on_batch, frames, tile=512)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_margin_is_as_far_as_the_networks_see():
    """Change one pixel: nothing farther than the margin may change, and something near it must."""
    model = randomise(UNet(base_filters=2))
    frames = np.random.default_rng(0).random((1, 16, 640), np.float32)
    changed = frames.copy()
    changed[0, 8, 320] = 50
    difference = np.abs(
        predict_any_size(model.predict_on_batch, changed)
        - predict_any_size(model.predict_on_batch, frames)
    ).max(axis=(0, 1, 3))
    reached = np.abs(np.flatnonzero(difference > 1e-6) - 320)
    assert 60 < reached.max() <= MARGIN < OVERLAP / 2
