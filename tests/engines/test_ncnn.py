"""Each Keras layer and its translation for ncnn give the same, and so do whole networks."""

import keras
import numpy as np
import pytest
from plain_layers import JOINING, LAYERS, copied, joined
from random_networks import applied, randomise

from amseg_keras.engines.choose import compile_engine
from amseg_keras.engines.graph import Rewritten, translated
from amseg_keras.engines.ncnn import NcnnEngine, ncnn_model
from amseg_keras.models import AMSegNetLite, UNet

pytest.importorskip("ncnn")


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def by_ncnn(model, frames):
    return NcnnEngine(translated(model, "probabilities")).probabilities(frames)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "dropout"])
def test_a_layer_gives_the_same_in_ncnn(name):
    inputs = keras.Input((None, None, 4))
    model = randomise(keras.Model(inputs, copied(name)(inputs)))
    frames = noise(2, 16, 32, 4)
    np.testing.assert_allclose(by_ncnn(model, frames), applied(model, frames), atol=1e-4)


def test_convolutions_of_groups_of_channels_give_the_same():
    inputs = keras.Input((None, None, 4))
    model = randomise(keras.Model(inputs, keras.layers.Conv2D(6, 3, groups=2)(inputs)))
    frames = noise(1, 16, 16, 4)
    np.testing.assert_allclose(by_ncnn(model, frames), applied(model, frames), atol=1e-4)


@pytest.mark.parametrize("kind", JOINING)
def test_layers_of_several_inputs_keep_their_order(kind):
    model = randomise(joined(kind))
    frames = noise(1, 16, 16, 1)
    np.testing.assert_allclose(by_ncnn(model, frames), applied(model, frames), atol=1e-4)


def test_a_convolution_that_another_layer_takes_too_is_left_without_the_activation():
    inputs = keras.Input((None, None, 1))
    convolved = keras.layers.Conv2D(2, 3, padding="same")(inputs)
    activated = keras.layers.ReLU()(convolved)
    model = randomise(keras.Model(inputs, keras.layers.Add()([convolved, activated])))
    frames = noise(1, 16, 16, 1)
    assert "ReLU" in ncnn_model(translated(model, "probabilities")).layers
    np.testing.assert_allclose(by_ncnn(model, frames), applied(model, frames), atol=1e-4)


def test_an_activation_that_only_one_layer_takes_is_part_of_the_convolution():
    inputs = keras.Input((None, None, 1))
    convolved = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(inputs)
    model = randomise(keras.Model(inputs, keras.layers.Add()([convolved, convolved])))
    frames = noise(1, 16, 16, 1)
    assert "ReLU" not in ncnn_model(translated(model, "probabilities")).layers
    np.testing.assert_allclose(by_ncnn(model, frames), applied(model, frames), atol=1e-4)


@pytest.mark.parametrize("network", [AMSegNetLite, UNet])
def test_a_network_of_other_layers_gives_the_same(network):
    model = randomise(network(base_filters=4))
    frames = np.abs(noise(1, 32, 48, 1))
    expected = applied(model, frames)
    engine = compile_engine(Rewritten(model), "ncnn").engine
    np.testing.assert_allclose(engine.probabilities(frames), expected, atol=1e-4)
    assert (engine.labels(frames) == expected.argmax(axis=-1)).mean() >= 0.999


def test_of_two_classes_with_the_same_score_the_first_wins():
    inputs = keras.Input((None, None, 1))
    same = keras.layers.Concatenate()([inputs, inputs, inputs])
    model = keras.Model(inputs, keras.layers.Softmax()(same))
    assert not NcnnEngine(translated(model, "probabilities")).labels(noise(1, 4, 4, 1)).any()


def test_what_has_no_translation_is_named():
    inputs = keras.Input((None, None, 1))
    by_row = keras.layers.Softmax(axis=2)(keras.layers.Conv2D(2, 1)(inputs))
    rewritten = Rewritten(keras.Model(inputs, keras.layers.Softmax()(by_row)))
    frames = noise(1, 16, 16, 1)
    with pytest.raises(ValueError, match="this Softmax has no translation to ncnn"):
        compile_engine(rewritten, "ncnn", frames)
