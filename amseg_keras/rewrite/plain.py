"""The parts that networks are made of, as nodes of a graph."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from amseg_keras.rewrite.graph import Affine, Conv, Node, Place, Step, width


def step(layer: keras.layers.Layer, *inputs: Node, name: str, width: int | None) -> Step:
    """A layer that takes one tensor, or a list of them, and gives one."""
    places = [Place(number) for number in range(len(inputs))]
    given = places[0] if len(places) == 1 else places
    return Step(name=name, inputs=inputs, layer=layer, call=((given,), {}), width=width)


def conv(x: Node, layer: keras.layers.Conv2D, name: str) -> Node:
    """A `Conv2D` with its activation, if it has one."""
    plain = layer.activation is keras.activations.linear
    made = Conv(
        name=name if plain else f"{name}_conv",
        inputs=(x,),
        kernel=values(layer.kernel),
        bias=values(layer.bias) if layer.use_bias else None,
        strides=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation_rate,
    )
    if plain:
        return made
    if layer.activation is keras.activations.relu:
        return relu(made, name)
    return step(keras.layers.Activation(layer.activation), made, name=name, width=width(made))


def norm(x: Node, layer: keras.layers.BatchNormalization, name: str) -> Affine:
    """A `BatchNormalization` of the last axis with the statistics that it has."""
    scale, shift = scale_and_shift(layer)
    return Affine(name=name, inputs=(x,), scale=scale, shift=shift)


def relu(x: Node, name: str) -> Node:
    """A ReLU."""
    return step(keras.layers.ReLU(), x, name=name, width=width(x))


def scale_and_shift(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A trained batch norm as a factor and a summand for each channel, float64."""
    mean, variance = values(layer.moving_mean), values(layer.moving_variance)
    gamma = values(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = values(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def values(variable: Any) -> np.ndarray:
    """A variable of any precision as float64, in which all arithmetic on weights is done."""
    return np.asarray(keras.ops.convert_to_numpy(variable)).astype(np.float64)
