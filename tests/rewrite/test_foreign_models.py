"""Functional models that are not the package's: what is known is rewritten, the rest copied."""

import keras
import numpy as np
import pytest
from keras import layers
from random_networks import applied, randomise

from amseg_keras.rewrite import inference_model


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """A layer that nobody knows, with a weight."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), name="factor")

    def call(self, inputs):
        return inputs * self.factor


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


def assert_equivalent(model, *shape):
    randomise(model)
    made = inference_model(model)
    x = noise(*shape)
    np.testing.assert_allclose(applied(made, x), applied(model, x), atol=2e-5, rtol=1e-5)
    return made


def functional(*parts, channels=3):
    x = inputs = keras.Input((None, None, channels))
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}])
@pytest.mark.parametrize("bias", [True, False])
def test_a_norm_goes_into_the_convolution_before_it(options, bias):
    conv = layers.Conv2D(4, (3, 5), strides=(2, 1), padding="valid", use_bias=bias)
    model = functional(conv, layers.BatchNormalization(**options))
    assert kinds(assert_equivalent(model, 2, 9, 8, 3)) == ["Conv2D"]


def test_a_dilated_convolution_stays_dilated():
    conv = layers.Conv2D(4, 3, dilation_rate=2, padding="same")
    assert kinds(assert_equivalent(functional(conv), 1, 9, 8, 3)) == ["Conv2D"]


@pytest.mark.parametrize(
    "before",
    [
        layers.Conv2D(4, 3, activation="relu"),
        layers.Conv2D(6, 3, groups=3),
        layers.DepthwiseConv2D(3),
        layers.Conv2DTranspose(4, 3, strides=2),
        layers.MaxPooling2D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_norm_after_anything_else_stays(before):
    model = functional(type(before).from_config(before.get_config()), layers.BatchNormalization())
    assert kinds(assert_equivalent(model, 1, 8, 8, 3))[-1] == "BatchNormalization"


def test_a_norm_before_a_convolution_stays_since_borders_are_not_shifted():
    model = functional(layers.BatchNormalization(), layers.Conv2D(4, 3, padding="same"))
    assert kinds(assert_equivalent(model, 1, 8, 8, 3)) == ["BatchNormalization", "Conv2D"]


def test_a_convolution_that_two_layers_read_is_done_once():
    inputs = keras.Input((None, None, 3))
    conv = layers.Conv2D(4, 3, padding="same")(inputs)
    model = keras.Model(inputs, layers.Add()([layers.BatchNormalization()(conv), conv]))
    assert kinds(assert_equivalent(model, 1, 8, 8, 3)).count("Conv2D") == 1


def test_a_norm_of_another_axis_and_one_that_trains_stay():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    model = keras.Model(inputs, layers.BatchNormalization(axis=1)(x))
    assert kinds(assert_equivalent(model, 1, 8, 8, 3)) == ["Conv2D", "BatchNormalization"]


def test_an_upsampling_alone_goes_into_a_convolution():
    model = functional(layers.UpSampling2D(), layers.Conv2D(4, 3, padding="same"))
    assert kinds(assert_equivalent(model, 1, 5, 4, 3)) == ["Conv2DTranspose"]


def test_an_upsampling_changes_places_with_a_1x1_convolution():
    model = functional(layers.UpSampling2D(), layers.Conv2D(4, 1))
    assert kinds(assert_equivalent(model, 1, 5, 4, 3)) == ["Conv2D", "UpSampling2D"]


@pytest.mark.parametrize(
    ("upsampling", "conv"),
    [
        ({"interpolation": "bilinear"}, {"padding": "same"}),
        ({"size": 3}, {"padding": "same"}),
        ({}, {"padding": "valid"}),
        ({}, {"padding": "same", "strides": 2}),
        ({}, {"padding": "same", "dilation_rate": 2}),
    ],
)
def test_another_upsampling_or_convolution_stays(upsampling, conv):
    model = functional(layers.UpSampling2D(**upsampling), layers.Conv2D(4, 3, **conv))
    assert kinds(assert_equivalent(model, 1, 6, 4, 3)) == ["UpSampling2D", "Conv2D"]


def test_several_upsampled_and_other_tensors_in_any_order():
    inputs = keras.Input((None, None, 3))
    low = layers.MaxPooling2D()(inputs)
    x = layers.Concatenate()(
        [inputs, layers.UpSampling2D()(low), inputs, layers.UpSampling2D()(low)]
    )
    model = keras.Model(inputs, layers.Conv2D(4, 3, padding="same", activation="sigmoid")(x))
    made = assert_equivalent(model, 1, 6, 4, 3)
    assert kinds(made).count("Conv2DTranspose") == 2
    assert kinds(made).count("Conv2D") == 1


def test_an_unknown_layer_is_copied_with_its_weights():
    model = functional(Scaled(), layers.Conv2D(4, 3), layers.ReLU(), Scaled())
    made = assert_equivalent(model, 1, 8, 8, 3)
    assert kinds(made) == ["Scaled", "Conv2D", "ReLU", "Scaled"]
    assert not {id(layer) for layer in made.layers} & {id(layer) for layer in model.layers}


def test_a_layer_called_twice_stays_shared_and_a_convolution_is_written_twice():
    inputs = keras.Input((None, None, 3))
    conv, scaled = layers.Conv2D(3, 3, padding="same"), Scaled()
    model = keras.Model(inputs, scaled(conv(scaled(conv(inputs)))))
    made = assert_equivalent(model, 1, 8, 8, 3)
    assert sorted(kinds(made)) == ["Conv2D", "Conv2D", "Scaled"]


def test_operations_and_constants_between_the_layers():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3)(inputs)
    x = keras.ops.concatenate([x[..., 1:], 2.0 - x], axis=-1)
    model = keras.Model(inputs, keras.ops.clip(x, -1, x_max=0.5))
    assert_equivalent(model, 1, 8, 8, 3)


def test_inputs_and_outputs_keep_their_structure():
    frames, dark = keras.Input((8, 8, 1), name="frames"), keras.Input((8, 8, 1), name="dark")
    x = layers.Conv2D(4, 3, name="conv")(layers.Subtract()([frames, dark]))
    model = randomise(keras.Model({"frames": frames, "dark": dark}, {"a": x, "b": [x, frames]}))
    made = inference_model(model)
    given = {"frames": noise(1, 8, 8, 1), "dark": noise(2, 8, 8, 1)[:1]}
    got, wanted = made(given), model(given)
    assert set(got) == {"a", "b"}
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(got["b"][0]), keras.ops.convert_to_numpy(wanted["a"]), atol=1e-5
    )


def test_a_layer_with_several_outputs():
    inputs = keras.Input((8, 8, 4))
    first, second = keras.ops.split(inputs, 2, axis=-1)
    model = keras.Model(inputs, layers.Conv2D(4, 3)(layers.Concatenate()([second, first])))
    assert_equivalent(model, 1, 8, 8, 4)


def test_a_model_inside_a_model_is_copied():
    inner = functional(layers.Conv2D(4, 3), layers.BatchNormalization())
    inputs = keras.Input((8, 8, 3))
    assert_equivalent(keras.Model(inputs, inner(inputs)), 1, 8, 8, 3)


def test_a_model_that_is_not_functional_is_refused():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3)], name="stack")
    with pytest.raises(ValueError, match="stack is a Sequential; only a functional model"):
        inference_model(model)
    assert_equivalent(keras.Model(model.inputs[0], model.outputs[0]), 1, 8, 8, 1)
