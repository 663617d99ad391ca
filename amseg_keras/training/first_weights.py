"""The weights that a training begins with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from amseg_keras.models.networks import NETWORKS
from amseg_keras.preprocess import Channels
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.training.recipe import Recipe, TrainingError


def adds_channels(channels: Sequence[str], info: PresetInfo) -> bool:
    """Tell whether a network takes more input channels than the preset it starts from.

    Args:
        channels: Input channels of the network.
        info: The preset.

    Example:
        >>> from amseg_keras import list_presets
        >>> info = list_presets()["amsegnet-esrf-lite"]
        >>> adds_channels(("frame", "motion"), info), adds_channels(("frame",), info)
        (True, False)
    """
    known = info.channels.names
    return len(channels) > len(known) and tuple(channels[: len(known)]) == known


def network_to_train(
    recipe: Recipe, class_names: tuple[str, ...], start: Path | None
) -> keras.Model:
    """Build the network of a recipe, with random weights or those of a preset.

    An input channel that the preset does not have begins with weights of zero: before the first
    step the network gives the probabilities of the preset. A class that the preset does not have
    begins with the weights of the substrate and a lower bias.

    Args:
        recipe: Recipe of the training.
        class_names: Names of the classes in the order of their ids.
        start: Folder of the preset, or None for random weights.

    Raises:
        TrainingError: The preset holds another network.
    """
    width = {} if recipe.width is None else {"base_filters": recipe.width}
    shape = (None, None, len(recipe.channels))
    model = NETWORKS[recipe.network](num_classes=len(class_names), input_shape=shape, **width)
    if start is None:
        return model
    info = read_info(start)
    trained = read_model(start, info)
    there = trained.get_weights()
    more = class_names[len(info.class_names) :]
    if more and class_names[: len(info.class_names)] == info.class_names:
        there = [
            _with_classes(old, new, info.class_names, len(more))
            for old, new in zip(there, model.weights, strict=True)
        ]
    if adds_channels(recipe.channels, info):
        pairs = zip(there, model.weights, strict=False)
        there = [_widened(old, new.shape, info.channels) for old, new in pairs]
    if [w.shape for w in there] != [w.shape for w in model.weights]:
        raise TrainingError(
            f"{info.name}: is a network {trained.name}, no {recipe.network}; "
            "give the recipe its network (--network, --width)"
        )
    model.set_weights(there)
    return model


def _widened(kernel: np.ndarray, shape: tuple[int, ...], known: Channels) -> np.ndarray:
    """A kernel over the known channels as one over more channels; other weights as they are."""
    if kernel.ndim != 4 or kernel.shape[2] != len(known.names) or shape[2] == kernel.shape[2]:
        return kernel
    more = np.zeros((*kernel.shape[:2], shape[2] - kernel.shape[2], kernel.shape[3]))
    return np.concatenate([kernel, more.astype(kernel.dtype)], axis=2)


RARER = 2.0
"""How much lower the bias of a new class is than that of the substrate."""


def _with_classes(
    old: np.ndarray, new: keras.Variable, known: Sequence[str], more: int
) -> np.ndarray:
    """Weights of a last layer over more classes; weights of other layers as they are."""
    shape = tuple(new.shape)
    if old.shape == shape or old.shape[:-1] != shape[:-1]:
        return old
    # The last layer answers for several pixels at once: the classes of a pixel are side by side.
    pixels = old.reshape(*old.shape[:-1], -1, len(known))
    added = pixels[..., [known.index("substrate")] * more]
    if new.name == "bias":
        added = added - RARER
    return np.concatenate([pixels, added], axis=-1).reshape(shape)
