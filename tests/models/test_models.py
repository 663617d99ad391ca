"""The networks: parameter counts of the paper's Table 2, sizes, serialisation, training."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from random_networks import applied, randomise

from amseg_keras.models import AMSegNet, AMSegNetLite, ResUNet, SqueezeUNet, UNet

NETWORKS = {
    "AM-SegNet": (AMSegNet, {}, 17_526_064, 8_314),
    "AM-SegNet*": (AMSegNet, {"attention": False}, 16_342_575, 6_778),
    "Res-U-Net": (ResUNet, {}, 33_139_535, 17_674),
    "U-Net": (UNet, {}, 31_389_839, 11_786),
    "Squeeze-U-Net": (SqueezeUNet, {}, 16_388_815, 9_802),
}


@pytest.fixture(params=NETWORKS, scope="module")
def small(request):
    """Each network, narrow, with random weights."""
    make, arguments, *_ = NETWORKS[request.param]
    return randomise(make(base_filters=2, **arguments))


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts_are_those_of_table_2(name):
    make, arguments, trainable, non_trainable = NETWORKS[name]
    model = make(**arguments)
    assert count(model.trainable_weights) == trainable
    assert count(model.non_trainable_weights) == non_trainable


@pytest.mark.parametrize("size", [(16, 16), (48, 32)])
def test_any_multiple_of_16_gives_probabilities_of_the_same_size(small, size):
    out = applied(small, np.random.default_rng(0).random((2, *size, 1), np.float32))
    assert out.shape == (2, *size, 5)
    np.testing.assert_allclose(out.sum(axis=-1), 1, atol=1e-5)


def test_keras_file_round_trip_gives_the_same_probabilities(small, tmp_path):
    x = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    small.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(applied(again, x), applied(small, x), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps_lower_the_loss(name):
    keras.utils.set_random_seed(0)
    make, arguments, *_ = NETWORKS[name]
    model = make(base_filters=2, **arguments)
    rng = np.random.default_rng(0)
    x = rng.random((2, 32, 32, 1), np.float32)
    y = keras.utils.to_categorical((x[..., 0] * 5).astype(int), 5)
    # compiling takes far longer than the steps, but on JAX steps that are not compiled do
    eagerly = keras.backend.backend() != "jax"
    model.compile(keras.optimizers.Adam(1e-2), "categorical_crossentropy", run_eagerly=eagerly)
    losses = [float(model.train_on_batch(x, y)) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_mixed_precision_keeps_probabilities_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = AMSegNet(base_filters=2)
    finally:
        keras.config.set_dtype_policy("float32")
    out = model(np.zeros((1, 16, 16, 1), np.float32))
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    assert model.get_layer("encoder_1").compute_dtype == "bfloat16"


def test_logits_are_what_the_softmax_gets(small):
    x = np.random.default_rng(0).random((1, 16, 32, 1), np.float32)
    logits = keras.Model(small.input, small.get_layer("logits").output)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(applied(logits, x)))
    np.testing.assert_allclose(applied(small, x), expected, atol=1e-6)


def test_a_size_that_cannot_be_pooled_names_one_that_can():
    with pytest.raises(ValueError, match="multiples of 16, for example 192 x 400 or 208 x 400"):
        AMSegNet(input_shape=(200, 400, 1))


def test_without_attention_there_is_no_gate():
    names = [layer.name for layer in AMSegNet(base_filters=2, attention=False).layers]
    assert "attention_gate" not in names


PREDICT = """
import sys, numpy as np, keras
from amseg_keras.models import AMSegNet
model = AMSegNet(base_filters=4)
model.load_weights(sys.argv[1])
x = np.random.default_rng(0).random((1, 64, 96, 1), np.float32)
np.save(sys.argv[2], keras.ops.convert_to_numpy(model(x)))
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compared from TensorFlow")
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_one_weights_file_gives_the_same_probabilities_on_every_backend(backend, tmp_path):
    pytest.importorskip(backend)
    model = randomise(AMSegNet(base_filters=4))
    model.save_weights(tmp_path / "a.weights.h5")
    subprocess.run(
        [sys.executable, "-c", PREDICT, tmp_path / "a.weights.h5", tmp_path / "out.npy"],
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
    )
    x = np.random.default_rng(0).random((1, 64, 96, 1), np.float32)
    there, here = np.load(tmp_path / "out.npy"), applied(model, x)
    assert here.argmax(-1).std() > 0, "random weights should give more than one class"
    np.testing.assert_allclose(there, here, atol=1e-4)


@pytest.mark.parametrize("network", [AMSegNet, AMSegNetLite, UNet])
@pytest.mark.parametrize("call", ["predict", "fit", "__call__"])
def test_frames_of_a_size_that_does_not_fit_are_refused_with_sizes_that_do(network, call):
    model = network(base_filters=2)
    model.compile("sgd", loss="sparse_categorical_crossentropy")
    frames = np.zeros((1, 24, 40, 1), "float32")
    labels = (np.zeros((1, 24, 40)),) if call == "fit" else ()
    with pytest.raises(ValueError, match=r"24 x 40 pixels: .* 16, for example 16 x 32 or 32 x 48"):
        getattr(model, call)(frames, *labels)
