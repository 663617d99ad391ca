"""Give a network its first weights: random ones, or the weights of a preset that may be smaller."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from amseg_keras.models.networks import NETWORKS
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.training.recipe import Recipe, TrainingError

RARER = 2.0
"""Difference between the bias of the substrate and the lower bias of a new class."""


WIDENS = "amsegnet-lite"
"""The network that may be wider than its preset: it adds its skips, the others join channels."""


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
    """Build the network of a recipe, with random weights or the weights of a preset.

    The network may be larger than the preset. Before the first step, more input channels and more
    width do not change the probabilities:

    - An input channel that the preset does not have begins with weights of zero. An input channel
      that only the preset has is left out, as if it were blank.
    - In a wider network, the new channels begin at random, and with weights of zero towards the
      channels of the preset.

    A class that the preset does not have begins with the weights of the substrate and a lower bias.

    Args:
        recipe: Recipe of the training.
        class_names: Names of the classes in the order of their ids.
        start: Folder of the preset, or None for random weights.

    Raises:
        TrainingError: The preset holds another network, a wider one, or other classes.
    """
    width = {} if recipe.width is None else {"base_filters": recipe.width}
    shape = (None, None, len(recipe.channels))
    model = NETWORKS[recipe.network](num_classes=len(class_names), input_shape=shape, **width)
    if start is None:
        return model
    info = read_info(start)
    trained = read_model(start, info)
    there = trained.get_weights()
    fits = len(there) == len(model.weights)
    more = class_names[len(info.class_names) :]
    if fits and more and class_names[: len(info.class_names)] == info.class_names:
        # The last layer is the last two weights of every network here: kernel and bias.
        there[-2:] = [
            _with_classes(there[-2], info.class_names, len(more)),
            _with_classes(there[-1], info.class_names, len(more), lower=RARER),
        ]
    if fits and recipe.channels[0] == info.channels.names[0]:
        # The first convolution is the first weight of every network here.
        added = max(0, len(recipe.channels) - there[0].shape[2])
        kernel = np.pad(there[0], ((0, 0), (0, 0), (0, added), (0, 0)))
        there[0] = kernel[:, :, : len(recipe.channels)]
    if fits and there[-1].shape != tuple(model.weights[-1].shape):
        raise TrainingError(
            f"{info.name}: has the classes {', '.join(info.class_names)}, and the training has "
            f"{', '.join(class_names)}; start from a preset with the same first classes, or use "
            "amseg finetune, which matches classes by name"
        )
    if not fits or not _has_room(there, model, wider=recipe.network == WIDENS):
        raise TrainingError(
            f"{info.name}: is a network {trained.name}, no {recipe.network}; "
            "give the recipe its network (--network, --width)"
        )
    model.set_weights(
        [_inside(old, new) for old, new in zip(there, model.get_weights(), strict=True)]
    )
    return model


def _has_room(there: Sequence[np.ndarray], model: keras.Model, wider: bool) -> bool:
    """Tell whether weights fit into a network; if `wider`, the network may have more channels."""
    shapes = [(old.shape, tuple(new.shape)) for old, new in zip(there, model.weights, strict=True)]
    if not wider:
        return all(old == new for old, new in shapes)
    return all(len(old) == len(new) and all(np.less_equal(old, new)) for old, new in shapes)


def _with_classes(
    weights: np.ndarray, known: Sequence[str], more: int, lower: float = 0.0
) -> np.ndarray:
    """Add classes to the weights of the last layer, with the weights of the substrate less `lower`.

    The last layer may answer for several pixels at once: the classes of a pixel are side by side.
    """
    pixels = weights.reshape(*weights.shape[:-1], -1, len(known))
    added = pixels[..., [known.index("substrate")] * more] - lower
    return np.concatenate([pixels, added], axis=-1).reshape(*weights.shape[:-1], -1)


def _inside(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Put the old weights into the first channels of new weights that are as large or larger."""
    result = new.copy()
    if new.ndim == 4:
        # What is new does not reach the channels that were there.
        result[:, :, old.shape[2] :, : old.shape[3]] = 0
    result[tuple(slice(side) for side in old.shape)] = old
    return result
