"""Each Keras layer and its translation to ONNX give the same, by ONNX's own reference."""

import keras
import numpy as np
import pytest
from plain_layers import JOINING, LAYERS, copied, joined
from random_networks import applied, randomise

from amseg_keras.engines.graph import Rewritten, translated
from amseg_keras.engines.onnx_file import onnx_file
from amseg_keras.models import AMSegNet

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402


def by_reference(model, frames, output="probabilities"):
    graph = onnx.load_from_string(onnx_file(translated(model, output), [output]))
    onnx.checker.check_model(graph, full_check=True)
    return ReferenceEvaluator(graph).run([output], {"frames": frames})[0]


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_the_same_in_onnx(name):
    inputs = keras.Input((None, None, 4))
    model = randomise(keras.Model(inputs, copied(name)(inputs)))
    frames = noise(2, 16, 32, 4)
    np.testing.assert_allclose(by_reference(model, frames), applied(model, frames), atol=1e-5)


@pytest.mark.parametrize("kind", JOINING)
def test_layers_of_several_inputs_keep_their_order(kind):
    model = randomise(joined(kind))
    frames = noise(1, 16, 16, 1)
    np.testing.assert_allclose(by_reference(model, frames), applied(model, frames), atol=1e-5)


def test_a_whole_network_gives_labels_of_its_probabilities():
    model = randomise(AMSegNet(base_filters=2))
    network = Rewritten(model).network
    frames = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    expected = applied(model, frames)
    np.testing.assert_allclose(by_reference(network, frames), expected, atol=1e-4)
    labels = by_reference(network, frames, "labels")
    assert labels.dtype == np.uint8
    assert (labels == expected.argmax(axis=-1)).mean() >= 0.999


def test_of_two_classes_with_the_same_score_the_first_wins():
    inputs = keras.Input((None, None, 1))
    same = keras.layers.Concatenate()([inputs, inputs, inputs])
    labels = by_reference(
        keras.Model(inputs, keras.layers.Softmax()(same)), noise(1, 4, 4, 1), "labels"
    )
    assert not labels.any()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.GaussianNoise(0.1, name="odd"), "odd: a GaussianNoise layer has no"),
        (keras.layers.Conv2D(2, 1, activation="gelu", name="odd"), "odd: activation gelu"),
        (keras.layers.UpSampling2D(interpolation="bilinear", name="odd"), "odd: only nearest"),
        (keras.layers.Conv2DTranspose(2, 3, name="odd"), "odd: only 'same'"),
    ],
    ids=["layer", "activation", "interpolation", "padding"],
)
def test_what_has_no_translation_is_named(layer, message):
    inputs = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match=message):
        translated(keras.Model(inputs, layer(inputs)), "probabilities")
