"""What is timed: a network on an engine, with frames of a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from amseg_keras.engines.choose import compile_engine
from amseg_keras.engines.rewritten import Rewritten
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import TITLES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import find_preset, list_presets
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.read import open_stack

PREDICT = "predict"
"""Keras' own `predict` of the network as it was trained: what engines are compared with."""

TRAINED = {"amsegnet": "amsegnet-esrf", "amsegnet-lite": "amsegnet-esrf-lite"}
"""Presets of networks: integers are accepted or not by what a trained network finds."""

_SAMPLE = "sample:esrf-lpbf"
_CALIBRATION = 8


@dataclass(frozen=True)
class Case:
    """A network on an engine.

    Attributes:
        network: Of `models.NETWORKS`.
        engine: Of `engines.ENGINES`, or `PREDICT`.
        precision: What it computes in, as ``"bfloat16"``.
        run: Labels frames, float32 `(batch, height, width, 1)`.
    """

    network: str
    engine: str
    precision: str
    run: Callable[[np.ndarray], object]


def timed_networks(
    networks: Sequence[str], engines: Sequence[str], shape: tuple[int, int]
) -> tuple[list[Case], list[str]]:
    """Each network on each engine, and what engines that are not exact say of themselves.

    Args:
        networks: Of `models.NETWORKS`; those with a preset in the package are trained.
        engines: Of `engines.ENGINES` but for ``"auto"``, or `PREDICT`.
        shape: Height and width of frames to come.

    Raises:
        EngineMissingError: The package of an engine is not installed.
        ValueError: An engine cannot run here.
    """
    cases, notes = [], []
    for name in networks:
        model = network(name)
        rewritten = Rewritten(model)
        for engine in engines:
            if engine == PREDICT:
                cases.append(Case(name, engine, "float32", _predict(model)))
                continue
            compiled = compile_engine(rewritten, engine, frames_of(shape, _CALIBRATION))
            if compiled.refused is None:
                ready = compiled.engine
                cases.append(Case(name, engine, ready.precision, ready.labels))
            if compiled.refused or compiled.equal_labels is not None:
                notes.append(f"{TITLES[name]}: {compiled.refused or compiled}.")
    return cases, notes


def network(name: str) -> keras.Model:
    """A network, trained where the package has a preset of it."""
    preset = TRAINED.get(name)
    if preset not in list_presets():
        return NETWORKS[name]()
    folder = find_preset(preset)
    return read_model(folder, read_info(folder))


def frames_of(shape: tuple[int, int], count: int) -> np.ndarray:
    """Scaled frames of the sample that comes with the package, repeated to a size.

    Returns:
        float32 `(count, height, width, 1)`.
    """
    with open_stack(_SAMPLE) as stack:
        grey_range = GreyScaling().measure(stack)
        scaled = np.stack([grey_range.apply(stack[n % len(stack)]) for n in range(count)])
    tiles = [-(-side // have) for side, have in zip(shape, scaled.shape[1:], strict=True)]
    return np.tile(scaled, (1, *tiles))[:, : shape[0], : shape[1], None]


def _predict(model: keras.Model) -> Callable[[np.ndarray], object]:
    return lambda frames: model.predict(frames, batch_size=len(frames), verbose=0).argmax(axis=-1)
