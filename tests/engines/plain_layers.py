"""Layers that a rewritten network may be made of."""

import keras

from amseg_keras.layers import DepthToSpace

LAYERS = {
    "convolution": keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
    "even kernel": keras.layers.Conv2D(3, 2, padding="same"),
    "strided": keras.layers.Conv2D(3, 8, strides=4, padding="same"),
    "odd strided": keras.layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False),
    "dilated": keras.layers.Conv2D(3, 3, dilation_rate=2, padding="same"),
    "not padded": keras.layers.Conv2D(3, 3, activation="relu"),
    "transposed 4": keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same"),
    "transposed 3": keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
    "pooling": keras.layers.MaxPooling2D(),
    "upsampling": keras.layers.UpSampling2D(),
    "norm": keras.layers.BatchNormalization(),
    "norm without scale": keras.layers.BatchNormalization(scale=False, center=False),
    "relu": keras.layers.Activation("relu"),
    "dropout": keras.layers.Dropout(0.5),
    "cells": DepthToSpace(2),
}


def copied(name):
    """A layer of its own, of the same settings."""
    return type(LAYERS[name]).from_config(LAYERS[name].get_config())


def joined(kind):
    """A network of three convolutions of the frames and a layer that takes them all."""
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, kind()([keras.layers.Conv2D(2, 1)(inputs) for _ in range(3)]))


JOINING = [keras.layers.Add, keras.layers.Multiply, keras.layers.Concatenate]
