"""The network of a preset: read without Keras if it is one of this package, else by Keras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from amseg_keras._on_demand import NO_KERAS
from amseg_keras.backend import has_backend
from amseg_keras.pretrained.preset import (
    CONFIG,
    PREPROCESSING,
    WEIGHTS,
    PresetInfo,
    read_checked_config,
    read_model,
    weights_digest,
)
from amseg_keras.pretrained.safety import MAX_PARAMETERS, PresetError, check_weights, parameters
from amseg_keras.rewrite.from_config import NotPlainError, PlainNetwork

if TYPE_CHECKING:
    import keras

    from amseg_keras.rewrite.graph import Graph


@dataclass(frozen=True)
class PresetNetwork:
    """A network without a Keras model so far.

    Attributes:
        folder: Preset.
        info: Description of the preset.
        plain: Network without its weights.
        weights: Weights as they are stored, by the paths of `plain.shapes`.
        digest: SHA-256 of the weights.
    """

    folder: Path
    info: PresetInfo
    plain: PlainNetwork
    weights: dict[str, np.ndarray]
    digest: str

    @property
    def channels(self) -> int:
        """Input channels."""
        return self.plain.channels

    @property
    def classes(self) -> int:
        """Output channels."""
        return self.plain.classes

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(map(parameters, self.plain.shapes.values()))

    def graph(self) -> Graph:
        """Make the graph of the network at each call, because it holds all weights in float64."""
        return self.plain.graph(self.weights)

    def load(self) -> keras.Model:
        """Make the Keras model.

        Raises:
            PresetError: The weights in the folder are no longer those that were read.
            ImportError: No backend is installed; the message says how to get one.
        """
        if weights_digest(self.folder) != self.digest:
            raise PresetError(
                f"{self.folder / WEIGHTS}: has changed since the preset was loaded; load it again"
            )
        if not has_backend():
            raise ImportError(NO_KERAS, name="keras")
        return read_model(self.folder, self.info)


def read_network(folder: Path, info: PresetInfo) -> PresetNetwork | keras.Model:
    """Read the network of a preset, without Keras if it is made of what this package uses.

    Returns:
        The network in plain values; a Keras model if only Keras can read it.

    Raises:
        PresetError: A file is missing or broken, the weights are not those that the preset was
            written with, the configuration names anything but known layers, or the weights, the
            network and the class names do not fit one another.
    """
    config = read_checked_config(folder)
    try:
        plain = PlainNetwork(config)
    except NotPlainError as reason:
        try:
            return read_model(folder, info)
        except ImportError as error:
            raise PresetError(
                f"{folder / CONFIG}: {reason}: this is not a network of amseg-keras, so it needs "
                "Keras with a backend: pip install 'amseg-keras[tensorflow]' (or [jax], or [torch])"
            ) from error
    if plain.classes != len(info.class_names) or plain.channels != len(info.channels):
        raise PresetError(
            f"{folder}: the network turns {plain.channels} channels into {plain.classes} classes, "
            f"but {PREPROCESSING} names {len(info.class_names)} classes of {info.channels!s}"
        )
    count = sum(map(parameters, plain.shapes.values()))
    if count > MAX_PARAMETERS:
        raise PresetError(
            f"{folder / CONFIG}: a network of {count:,} weights; more than {MAX_PARAMETERS:,} are "
            "not loaded"
        )
    check_weights(folder / WEIGHTS, list(plain.shapes.values()))
    weights = _weights(folder / WEIGHTS, plain.shapes)
    return PresetNetwork(folder, info, plain, weights, weights_digest(folder))


def _weights(file: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the weights of a checked file."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(file, "r") as stored:
        for path, shape in shapes.items():
            array = stored.get(path)
            if not isinstance(array, h5py.Dataset) or array.shape != shape:
                have = array.shape if isinstance(array, h5py.Dataset) else "nothing"
                raise PresetError(
                    f"{file}: the weights do not fit the network in {CONFIG} ({path} holds {have}, "
                    f"not {shape})"
                )
            found[path] = array[()]
            if not np.isfinite(found[path]).all():
                raise PresetError(f"{file}: holds NaN or infinite weights")
    return found
