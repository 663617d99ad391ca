"""Networks of one convolution, which compile in a moment, in place of those of the paper."""

import functools

import keras

from amseg_keras.layers import ConvBlock
from amseg_keras.models.ends import class_probabilities, frames_input
from amseg_keras.models.networks import NETWORKS


def shallow_network(num_classes=5, width=4, channels=1, input_shape=None):
    inputs = frames_input(input_shape or (None, None, channels))
    return keras.Model(inputs, class_probabilities(ConvBlock(width)(inputs), num_classes))


def put_in_place(monkeypatch):
    """Make `amsegnet` and `unet` shallow, of different widths."""
    monkeypatch.setitem(NETWORKS, "amsegnet", functools.partial(shallow_network, width=2))
    monkeypatch.setitem(NETWORKS, "unet", functools.partial(shallow_network, width=4))
