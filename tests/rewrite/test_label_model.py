"""Networks that end in labels."""

import keras
import numpy as np
import pytest
from keras import layers
from random_networks import applied, randomise

from amseg_keras.models import AMSegNet
from amseg_keras.models.lite import AMSegNetLite
from amseg_keras.models.networks import NETWORKS
from amseg_keras.rewrite import inference_model, label_model


def noise(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def assert_labels_of(model, labels, x):
    """Each label is that of the largest probability, or of one that equals it but for rounding."""
    probabilities, got = applied(model, x), applied(labels, x)
    assert got.dtype == np.uint8
    assert got.shape == probabilities.shape[:-1]
    chosen = np.take_along_axis(probabilities, got[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_array_less(probabilities.max(-1) - chosen, 4e-5)
    assert (got == probabilities.argmax(-1)).mean() > 0.99


@pytest.mark.parametrize("name", NETWORKS)
def test_labels_are_those_of_the_largest_probability(name):
    network = randomise(NETWORKS[name](base_filters=8))
    assert_labels_of(network, label_model(network), noise(2, 48, 32, 1))


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_labels_of_any_number_of_classes(classes):
    network = randomise(AMSegNetLite(classes, base_filters=4))
    assert_labels_of(network, label_model(network), noise(1, 16, 16, 1))


def test_labels_of_a_rewritten_network():
    network = randomise(AMSegNetLite(base_filters=4))
    assert_labels_of(network, label_model(inference_model(network)), noise(1, 16, 16, 1))


def test_of_equal_scores_the_first_wins():
    inputs = keras.Input((4, 4, 3))
    labels = label_model(keras.Model(inputs, layers.Softmax()(inputs)))
    scores = np.random.default_rng(0).integers(0, 3, (2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(applied(labels, scores), scores.argmax(-1))


def test_a_network_of_cells_makes_no_scores_at_full_resolution():
    labels = label_model(AMSegNetLite(base_filters=4, input_shape=(32, 48, 1)))
    full = [
        tensor.shape[3:]
        for operation in labels.operations
        for tensor in keras.tree.flatten(operation.output)
        if tensor.shape[1:3] == (32, 48)
    ]
    assert set(full) == {(1,), ()}


def test_there_is_no_softmax():
    kinds = {type(layer) for layer in label_model(AMSegNet(base_filters=2)).layers}
    assert layers.Softmax not in kinds


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_labels_of_a_foreign_network(activation):
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, layers.Conv2D(6, 3, padding="same", activation=activation)(inputs))
    assert_labels_of(model, label_model(randomise(model)), noise(1, 8, 8, 1))


@pytest.mark.parametrize("make", [AMSegNet, AMSegNetLite])
def test_a_network_of_labels_can_be_saved_and_loaded(make, tmp_path):
    labels = label_model(randomise(make(base_filters=4)))
    labels.save(tmp_path / "labels.keras")
    again = keras.saving.load_model(tmp_path / "labels.keras")
    x = noise(1, 16, 16, 1)
    np.testing.assert_array_equal(applied(again, x), applied(labels, x))


def test_several_outputs_or_too_many_classes_are_refused():
    inputs = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match="labels can be had of one tensor of at most 255 classes"):
        label_model(keras.Model(inputs, [inputs, inputs]))
    with pytest.raises(ValueError, match="at most 255 classes"):
        label_model(keras.Model(inputs, layers.Conv2D(256, 1)(inputs)))
