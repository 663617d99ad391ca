"""Frames of any size give what the whole frame would."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import randomise

from amseg_keras.models import AMSegNet, ResUNet, SqueezeUNet, UNet
from amseg_keras.segment.tiling import (
    MARGIN,
    OVERLAP,
    TILE_PIXELS,
    label_any_size,
    predict_any_size,
    tile_shape,
)


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
        sizes.append(batch.shape[1] * batch.shape[2])
        return brightness(batch)

    out = predict_any_size(network, frames, tile_pixels=320 * 320)
    np.testing.assert_allclose(out[..., 0], frames, atol=1e-6)
    assert max(sizes) <= 320 * 320


@given(height=st.integers(1, 900), width=st.integers(270, 900))
@settings(deadline=None, max_examples=30)
def test_tiles_label_every_pixel_of_the_frame(height, width):
    frames = np.random.default_rng(0).integers(0, 200, (2, height, width)).astype(np.float32)
    said = []
    labels = label_any_size(
        lambda batch: batch[..., 0].astype(np.uint8),
        frames,
        320 * 320,
        lambda *done: said.append(done),
    )
    np.testing.assert_array_equal(labels, frames)
    assert said == [(number + 1, len(said)) for number in range(len(said))]


def test_labels_of_tiles_are_those_of_the_whole_frame():
    model = randomise(AMSegNet(base_filters=2))
    frames = np.random.default_rng(0).random((1, 60, 700), np.float32)

    def label(batch):
        return model.predict_on_batch(batch).argmax(axis=-1).astype(np.uint8)

    whole = label_any_size(label, frames, tile_pixels=64 * 704)
    tiled = label_any_size(label, frames, tile_pixels=64 * 512)
    assert (tiled == whole).mean() > 0.999


@pytest.mark.parametrize("network", [AMSegNet, UNet, ResUNet, SqueezeUNet])
def test_tiled_result_is_that_of_the_whole_frame(network):
    model = randomise(network(base_filters=2))
    frames = np.random.default_rng(0).random((1, 60, 700), np.float32)
    whole = predict_any_size(model.predict_on_batch, frames, tile_pixels=64 * 704)
    tiled = predict_any_size(model.predict_on_batch, frames, tile_pixels=64 * 512)
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


@given(height=st.integers(1, 300), width=st.integers(1, 300))
@settings(deadline=None)
def test_tiles_are_within_the_limit_and_no_larger_than_the_frame(height, width):
    tile = tile_shape(16 * height, 16 * width)
    assert tile[0] * tile[1] <= TILE_PIXELS
    assert tile[0] <= 16 * height
    assert tile[1] <= 16 * width
    if 16 * height * 16 * width <= TILE_PIXELS:
        assert tile == (16 * height, 16 * width)
