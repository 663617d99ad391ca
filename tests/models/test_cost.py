"""Multiply-accumulates and parameters: the paper's networks, and one counted by hand."""

import keras
import pytest

from amseg_keras.layers import SqueezeExpand
from amseg_keras.models import AMSegNet
from amseg_keras.models.cost import macs, trainable_parameters
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import OF_THE_PAPER, TITLES

EXPECTED = {
    "amsegnet": (22.909, 17_526_064),
    "amsegnet-no-gate": (22.304, 16_342_575),
    "resunet": (118.774, 33_139_535),
    "unet": (111.250, 31_389_839),
    "squeezeunet": (84.603, 16_388_815),
}


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_cost_of_the_networks_of_table_2(name):
    gmac, parameters = EXPECTED[name]
    model = NETWORKS[name]()
    assert round(macs(model) / 1e9, 3) == gmac
    assert trainable_parameters(model) == parameters


def test_every_network_has_a_title_in_the_order_of_table_2():
    assert list(NETWORKS) == list(TITLES)
    assert list(OF_THE_PAPER) == list(EXPECTED)


def test_a_little_network_counted_by_hand():
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)  # 9 * 1 * 4 a pixel
    skip = keras.layers.BatchNormalization()(x)
    x = keras.layers.MaxPooling2D()(skip)
    x = SqueezeExpand(2)(x)  # at a quarter of the pixels, to 8 channels
    x = keras.layers.UpSampling2D()(x)
    x = keras.layers.Concatenate()([x, skip])
    outputs = keras.layers.Conv2D(5, 1)(x)  # 12 * 5 a pixel
    squeeze_expand = 4 * 2 + 2 * 2 + (9 * 2 * 2 + 4 * 4) + 9 * 2 * 2
    by_hand = 6 * 8 * (9 * 4 + 12 * 5) + 3 * 4 * squeeze_expand
    assert macs(keras.Model(inputs, outputs), (6, 8)) == by_hand


def test_a_transposed_convolution_multiplies_at_the_pixels_before_it():
    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2DTranspose(5, 4, strides=2, padding="same")(inputs)
    model = keras.Model(inputs, keras.layers.Add()([outputs, outputs]))
    assert macs(model, (6, 8)) == 6 * 8 * 4 * 4 * 3 * 5


def test_cost_goes_with_the_pixels_whatever_size_the_network_was_made_for():
    any_size, one_size = AMSegNet(base_filters=2), AMSegNet(base_filters=2, input_shape=(32, 64, 1))
    assert macs(any_size, (64, 64)) == macs(one_size, (64, 64)) == 4 * macs(any_size, (32, 32))


def test_a_frame_that_cannot_be_pooled_is_refused():
    with pytest.raises(ValueError, match="multiples of 16"):
        macs(AMSegNet(base_filters=2), (40, 40))
