"""A trained network for other classes."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import keras
import numpy as np

from amseg_keras.models.precision import from_config

HEAD = ("scores", "logits")
"""Layers with a channel for each class, or for each class of each pixel of a cell."""


def with_classes(
    model: keras.Model, old: Sequence[str], new: Sequence[str], policy: str = "float32"
) -> keras.Model:
    """The network with a head for other classes; everything else keeps its weights.

    A class that both sets have, by name, keeps the weights of its channel. A new one begins with
    random weights, normalised as the mean of the old ones.

    Args:
        model: Any of `models.NETWORKS`.
        old: Its class names, in the order of its channels.
        new: The class names to have.
        policy: Keras dtype policy of the new network.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> model = AMSegNet(num_classes=3, base_filters=2)
        >>> changed = with_classes(model, ("gas", "plate", "pore"), ("pore", "crack"))
        >>> first = model.get_layer("scores").kernel[0, 0, :, 2]
        >>> bool((changed.get_layer("scores").kernel[0, 0, :, 0] == first)[0])
        True
    """
    made = from_config(_config(model, len(old), len(new)), policy)
    channels = [list(old).index(name) if name in old else None for name in new]
    for layer in made.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in HEAD:
            weights = [
                _chosen(before, random, channels)
                for before, random in zip(weights, layer.get_weights(), strict=True)
            ]
        layer.set_weights(weights)
    return made


def _config(model: keras.Model, old: int, new: int) -> dict:
    config = copy.deepcopy(model.get_config())
    for layer in config["layers"]:
        name = layer["config"]["name"]
        if name == "scores":
            layer["config"]["filters"] = layer["config"]["filters"] // old * new
        if name in (*HEAD, "probabilities"):
            # It holds the shape with the old classes; Keras finds the new one by itself.
            layer["build_config"] = None
    return config


def _chosen(before: np.ndarray, random: np.ndarray, channels: list[int | None]) -> np.ndarray:
    """Channels of the old weights; of a new class, random kernels and the mean of vectors."""
    made = random.copy() if before.ndim > 1 else np.full(random.shape, before.mean(), before.dtype)
    # The classes of a pixel stand side by side.
    pixels = made.shape[-1] // len(channels)
    into = made.reshape(*made.shape[:-1], pixels, len(channels))
    of = before.reshape(*before.shape[:-1], pixels, -1)
    for new, old in enumerate(channels):
        if old is not None:
            into[..., new] = of[..., old]
    return made
