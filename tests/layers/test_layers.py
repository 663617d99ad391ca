"""The layers against independent calculations with NumPy and SciPy."""

import keras
import numpy as np
import pytest
from random_networks import randomise
from scipy.signal import correlate2d

from amseg_keras.layers import AttentionGate, ConvBlock, FireBlock, ResidualBlock, SqueezeExpand

LAYERS = {
    "SqueezeExpand": (SqueezeExpand, 3, (1, 8, 12, 5)),
    "ConvBlock": (ConvBlock, 4, (1, 8, 12, 5)),
    "ResidualBlock": (ResidualBlock, 4, (1, 8, 12, 5)),
    "FireBlock": (FireBlock, 4, (1, 8, 12, 5)),
}


def conv(x, kernel, bias):
    """'Same' convolution as Keras defines it, by SciPy, of one image `(height, width, in)`."""
    kernel, bias = np.asarray(kernel, float), np.asarray(bias, float)
    out = np.zeros((*x.shape[:2], kernel.shape[-1])) + bias
    for i in range(kernel.shape[2]):
        for o in range(kernel.shape[3]):
            out[..., o] += correlate2d(x[..., i], kernel[..., i, o], mode="same")
    return out


def norm(x, layer):
    gamma, beta, mean, variance = (np.asarray(w, float) for w in layer.get_weights())
    return (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta


def relu(x):
    return np.maximum(x, 0)


def built(layer, shape):
    inputs = (
        [keras.Input(s[1:]) for s in shape] if isinstance(shape, list) else keras.Input(shape[1:])
    )
    randomise(keras.Model(inputs, layer(inputs)))
    return layer


def image(channels, seed=0):
    return np.random.default_rng(seed).normal(size=(8, 12, channels)).astype(np.float32)


def applied(layer, *images):
    batches = [x[None] for x in images]
    return np.asarray(
        keras.ops.convert_to_numpy(layer(batches if len(batches) > 1 else batches[0]))
    )[0]


def test_squeeze_expand_is_three_branches_on_squeezed_channels():
    layer = built(SqueezeExpand(3), (1, 8, 12, 5))
    x = image(5)
    s = relu(conv(x, *layer.squeeze.get_weights()))
    residual = conv(s, *layer.residual.get_weights())
    expand = conv(s, *layer.expand.get_weights())
    kernel, bias = layer.depthwise.get_weights()
    depthwise = np.concatenate(
        [
            conv(s[..., i : i + 1], kernel[:, :, i : i + 1], bias[2 * i : 2 * i + 2])
            for i in range(3)
        ],
        axis=-1,
    )
    separable = conv(depthwise, *layer.pointwise.get_weights())
    expected = relu(
        np.concatenate(
            [
                norm(residual, layer.residual_norm),
                norm(separable, layer.separable_norm),
                norm(expand, layer.expand_norm),
            ],
            axis=-1,
        )
    )
    np.testing.assert_allclose(applied(layer, x), expected, atol=1e-4)


def test_attention_gate_follows_equations_1_and_2():
    layer = built(AttentionGate(4), [(1, 8, 12, 5), (1, 8, 12, 6)])
    x, g = image(5), image(6, seed=1)
    compared = relu(conv(x, *layer.theta.get_weights()) + conv(g, *layer.phi.get_weights()))
    alpha = 1 / (1 + np.exp(-conv(compared, *layer.psi.get_weights())))
    np.testing.assert_allclose(applied(layer, x, g), norm(alpha * x, layer.norm), atol=1e-4)


def test_conv_block_is_convolution_norm_relu():
    layer = built(ConvBlock(4), (1, 8, 12, 5))
    expected = relu(norm(conv(image(5), *layer.conv.get_weights()), layer.norm))
    np.testing.assert_allclose(applied(layer, image(5)), expected, atol=1e-4)


def test_residual_block_adds_a_normed_shortcut_before_the_last_relu():
    layer = built(ResidualBlock(4), (1, 8, 12, 5))
    x = image(5)
    hidden = relu(norm(conv(x, *layer.first.get_weights()), layer.first_norm))
    hidden = norm(conv(hidden, *layer.second.get_weights()), layer.second_norm)
    shortcut = norm(conv(x, *layer.shortcut.get_weights()), layer.shortcut_norm)
    np.testing.assert_allclose(applied(layer, x), relu(hidden + shortcut), atol=1e-4)


def test_fire_block_squeezes_then_expands_twice():
    layer = built(FireBlock(4), (1, 8, 12, 5))
    x = image(5)
    s = relu(norm(conv(x, *layer.squeeze.get_weights()), layer.squeeze_norm))
    left = norm(conv(s, *layer.left.get_weights()), layer.left_norm)
    right = norm(conv(s, *layer.right.get_weights()), layer.right_norm)
    expected = relu(np.concatenate([left, right], axis=-1))
    np.testing.assert_allclose(applied(layer, x), expected, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_comes_back_from_its_config(name):
    kind, width, shape = LAYERS[name]
    layer = built(kind(width, dropout=0.25), shape)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]


@pytest.mark.parametrize("name", LAYERS)
def test_layer_tells_its_output_shape(name):
    kind, width, shape = LAYERS[name]
    layer = built(kind(width), shape)
    assert applied(layer, image(5)).shape == layer.compute_output_shape(shape)[1:]


@pytest.mark.parametrize("name", LAYERS)
def test_layer_runs_in_mixed_precision(name):
    kind, width, shape = LAYERS[name]
    layer = built(kind(width, dtype="mixed_bfloat16"), shape)
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in layer.weights)
    assert keras.backend.standardize_dtype(layer(image(5)[None]).dtype) == "bfloat16"
    exact = built(kind(width), shape)
    exact.set_weights(layer.get_weights())
    difference = applied(layer, image(5)).astype(float) - applied(exact, image(5))
    assert np.abs(difference).max() < 0.1 * np.abs(applied(exact, image(5))).max()


def test_dropout_acts_in_training_alone():
    layer = built(SqueezeExpand(3, dropout=0.5), (1, 8, 12, 5))
    x = image(5)[None]
    still = keras.ops.convert_to_numpy(layer(x, training=False))
    np.testing.assert_array_equal(still, keras.ops.convert_to_numpy(layer(x, training=False)))
    trained = keras.ops.convert_to_numpy(layer(x, training=True))
    assert (trained == 0).mean() > (still == 0).mean() + 0.1
