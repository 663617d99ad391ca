"""Grad-CAM against independent calculations, and in networks whose answer is known."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from random_networks import applied, randomise
from u_network import CLASS_NAMES, brightness_network, segmenter_of, u_network

from amseg_keras.explain import GradCam, default_layer, grad_cam
from amseg_keras.explain.tiles import cut
from amseg_keras.models.precision import in_precision

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def network():
    return randomise(u_network())


def noise(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def values_of(model, layer, x):
    """Output of a layer on a frame, `(height, width, channels)`."""
    return applied(keras.Model(model.input, model.get_layer(layer).output), x[None, ..., None])[0]


def test_of_a_linear_head_it_is_what_numpy_finds(network):
    x, layer = noise((32, 48)), "last"
    index = 2
    found = values_of(network, "logits", x).argmax(-1) == index
    assert 0 < found.sum() < found.size
    norm = network.get_layer("logits")
    gamma, _, _, variance = (np.asarray(values) for values in norm.get_weights())
    kernel = np.asarray(network.get_layer("scores").get_weights()[0])[0, 0, :, index]
    slope = kernel * gamma[index] / np.sqrt(variance[index] + norm.epsilon)
    expected = np.maximum(values_of(network, layer, x) @ (slope * found.mean()), 0)
    result = GradCam(network, index, layer).explain(x)
    np.testing.assert_array_equal(result.found, found)
    np.testing.assert_allclose(result.heat, expected / expected.max(), atol=1e-5)


def test_before_a_skip_connection_it_follows_from_how_the_score_changes_with_the_bias(network):
    x, index, step = noise((32, 48), 1), 1, 1e-3
    layer = network.get_layer("deep")
    found = values_of(network, "logits", x).argmax(-1) == index
    kernel, bias = (np.asarray(values) for values in layer.get_weights())

    def score(moved_bias):
        layer.set_weights([kernel, moved_bias])
        return values_of(network, "logits", x)[found][:, index].sum(dtype=float)

    inside = values_of(network, "deep", x)
    weights = [score(bias + step * unit) - score(bias - step * unit) for unit in np.eye(len(bias))]
    layer.set_weights([kernel, bias])
    coarse = np.maximum(inside @ np.array(weights, np.float32), 0)
    wanted = np.asarray(Image.fromarray(coarse).resize((48, 32), Image.Resampling.BILINEAR))
    result = GradCam(network, index, "deep").explain(x)
    assert wanted.max() > 0
    np.testing.assert_allclose(result.heat, wanted / wanted.max(), atol=0.02)


def test_is_1_where_a_known_network_sees_the_class_and_0_elsewhere():
    frame = np.zeros((40, 60), np.uint16)
    frame[10:20, 30:45] = 4000
    heat = grad_cam(segmenter_of(brightness_network()), frame, "pore", "levels")
    np.testing.assert_allclose(heat, frame / 4000, atol=1e-6)
    gas = grad_cam(segmenter_of(brightness_network()), frame, "gas", "levels")
    np.testing.assert_allclose(gas, 1 - frame / 4000, atol=1e-6)


def test_where_the_class_is_nowhere_it_is_of_all_pixels():
    x = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    model = brightness_network()
    # Brightness speaks for plate, but never enough.
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[0, 0, 0, 1] = 0.5
    model.get_layer("scores").set_weights([kernel, bias])
    result = GradCam(model, 1, "levels").explain(x)
    assert not result.found.any()
    np.testing.assert_allclose(result.heat, x, atol=1e-6)


def test_nothing_that_speaks_for_the_class_is_0_all_over():
    heat = grad_cam(segmenter_of(brightness_network()), noise((20, 20)), "plate", "levels")
    np.testing.assert_array_equal(heat, np.zeros((20, 20)))


@pytest.mark.parametrize("shape", [(16, 16), (17, 50), (5, 3)])
def test_any_size_gives_a_map_of_that_size(network, shape):
    heat = grad_cam(segmenter_of(network), noise(shape), "gas")
    assert heat.shape == shape
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() in (0, 1)


def test_pixels_that_were_added_to_fit_the_network_do_not_count():
    x = np.zeros((20, 20), np.float32)
    x[-1] = 1  # mirrored: the rows that are added are bright
    model = brightness_network()
    result = GradCam(model, 2, "levels").explain(x)
    assert result.found.sum() == 20
    np.testing.assert_allclose(result.heat, x, atol=1e-6)


@pytest.mark.parametrize("layer", ["deep", "outer"])
def test_a_frame_in_parts_has_the_map_of_the_whole(network, layer):
    x = noise((400, 500), 3)
    assert len(cut(400, 512, 320 * 320)) > 2
    parts = GradCam(network, 0, layer, pass_pixels=320 * 320).explain(x)
    whole = GradCam(network, 0, layer).explain(x)
    np.testing.assert_array_equal(parts.found, whole.found)
    np.testing.assert_allclose(parts.heat, whole.heat, atol=1e-4)


@pytest.mark.parametrize("layer", ["deep", "outer"])
def test_a_class_in_a_corner_has_the_map_that_the_whole_frame_gives(network, layer, monkeypatch):
    x = noise((96, 128), 4)
    x[16:, 16:] = 0
    near = GradCam(network, 2, layer)
    assert 0 < near.explain(x).found.sum() < x.size / 8
    all_of_it = GradCam(network, 2, layer)
    monkeypatch.setattr(all_of_it, "_reach_of", lambda *strides: None)
    np.testing.assert_allclose(near.explain(x).heat, all_of_it.explain(x).heat, atol=1e-5)


@pytest.mark.parametrize("layer", ["smooth_4", "decoder_1"])
def test_the_network_with_less_to_compute_has_the_same_map(small_segmenter, frames, layer):
    x = noise((64, 96), 5)
    fast, given = GradCam.of(small_segmenter, 1, layer), GradCam(small_segmenter.model, 1, layer)
    np.testing.assert_allclose(fast.explain(x).heat, given.explain(x).heat, atol=1e-3)


@pytest.mark.parametrize("size", [(320, 320), (336, 1600), (1568, 2160)])
def test_cores_of_tiles_are_the_frame_each_pixel_once(size):
    counted = np.zeros(size, int)
    tiles = cut(*size, 320 * 320)
    for tile in tiles:
        counted[tile.core] += 1
        for window, core, length in zip(tile.window, tile.core, size, strict=True):
            for beyond, margin in (
                (window.start > 0, core.start - window.start),
                (window.stop < length, window.stop - core.stop),
            ):
                # all networks here look 107 pixels far
                assert margin >= 108 if beyond else margin == 0
            assert window.start % 16 == core.start % 16 == 0
    np.testing.assert_array_equal(counted, 1)


@pytest.mark.parametrize("layer", ["encoder_1", "attention_gate", "skip_3", "decoder_4", "logits"])
def test_any_layer_of_amsegnet_can_be_asked(small_segmenter, frames, layer):
    heat = grad_cam(small_segmenter, frames[0][:32, :32], "substrate", layer)
    assert heat.shape == (32, 32)
    assert np.isfinite(heat).all()


def test_default_is_the_last_layer_coarser_than_the_frame(network, small_segmenter):
    assert default_layer(network) == "deep"
    assert default_layer(small_segmenter.model) == "smooth_4"
    assert default_layer(brightness_network()) == "logits"


def test_half_precision_gives_nearly_the_same_map(network):
    x = noise((48, 48))
    half = GradCam(in_precision(network, "mixed_bfloat16"), 0, "deep").explain(x)
    full = GradCam(network, 0, "deep").explain(x)
    assert half.heat.dtype == np.float32
    assert np.abs(half.heat - full.heat).mean() < 0.05
    assert np.corrcoef(half.heat.ravel(), full.heat.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("frame", "name", "layer", "message"),
    [
        (np.zeros((16, 16)), "crack", None, "no class 'crack'; there are gas, plate, pore"),
        (np.zeros((16, 16)), "pore", "depe", "no layer 'depe'; there are outer, pool, deep, up"),
        (np.zeros((2, 16, 16)), "pore", None, "want .height, width."),
        (np.full((16, 16), np.nan), "pore", None, "NaN"),
    ],
    ids=["class", "layer", "stack", "NaN"],
)
def test_errors_say_what_there_is(network, frame, name, layer, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(segmenter_of(network), frame, name, layer)


EXPLAIN = """
import sys, numpy as np
from u_network import segmenter_of, u_network
from amseg_keras.explain import grad_cam
segmenter = segmenter_of(u_network())
segmenter.model.load_weights(sys.argv[1])
frame = np.random.default_rng(0).random((40, 56), np.float32)
maps = [grad_cam(segmenter, frame, "pore", layer) for layer in ("outer", "deep", "last")]
np.save(sys.argv[2], maps)
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compared from TensorFlow")
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_one_weights_file_gives_the_same_map_on_every_backend(network, backend, tmp_path):
    pytest.importorskip(backend)
    network.save_weights(tmp_path / "a.weights.h5")
    path = os.pathsep.join([str(TESTS), str(TESTS / "explain")])
    subprocess.run(
        [sys.executable, "-c", EXPLAIN, tmp_path / "a.weights.h5", tmp_path / "maps.npy"],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path},
        check=True,
    )
    segmenter = segmenter_of(network)
    for layer, there in zip(("outer", "deep", "last"), np.load(tmp_path / "maps.npy"), strict=True):
        here = grad_cam(segmenter, noise((40, 56)), CLASS_NAMES[2], layer)
        assert here.std() > 0.01, "random weights should give a map with contrast"
        np.testing.assert_allclose(there, here, atol=1e-3)
