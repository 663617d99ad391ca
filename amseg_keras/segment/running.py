"""Run a network on a device, and on an engine or in Keras."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from amseg_keras.applicability import tempered
from amseg_keras.preprocess import Inputs
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.network import PresetNetwork
from amseg_keras.read import ReadError
from amseg_keras.segment.segmentation import Labelled
from amseg_keras.segment.tiling import (
    TILE_PIXELS,
    OnTile,
    label_any_size,
    padded_frames,
    predict_any_size,
    tile_pixels_for,
    tile_shape,
)

if TYPE_CHECKING:
    import keras

    from amseg_keras.engines.choose import Compiled
    from amseg_keras.engines.engine import Engine
    from amseg_keras.engines.graph import Rewritten

MAX_SAMPLE = 16
"""Frames of a stack on which a less exact engine is measured."""


class RunningNetwork:
    """A network with the engine that runs it.

    A preset runs without Keras where it can: its Keras model is made when it is first needed.

    Args:
        given: Keras model, or the network of a preset.
    """

    def __init__(self, given: keras.Model | PresetNetwork) -> None:
        self.given = given
        self._preset = given if isinstance(given, PresetNetwork) else None
        self._model: keras.Model | None = None if isinstance(given, PresetNetwork) else given
        self._engine: Engine | None = None
        self._chose_engine = False

    def check_channels(self, info: PresetInfo) -> None:
        """Raise a `ValueError` if the network has another number of channels than its preset."""
        count = self.model.input_shape[-1] if self._preset is None else self._preset.channels
        if count != len(info.channels):
            raise ValueError(
                f"the network takes {count} channels, but {info.name} describes "
                f"{len(info.channels)}: {info.channels!s}"
            )

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        if self._preset is not None:
            return self._preset.parameters
        return int(self.model.count_params())

    @property
    def model(self) -> keras.Model:
        """The Keras model; the model of a preset is made at the first call."""
        if self._model is None:
            assert self._preset is not None
            self._model = self._preset.load()
        return self._model

    @property
    def rewritten(self) -> Rewritten:
        """The network with less to compute, for engines and exports."""
        from amseg_keras.engines.graph import Rewritten

        if self._preset is None:
            return Rewritten(self.model)
        return Rewritten(lambda: self.model, self._preset)

    @property
    def engine(self) -> Engine | None:
        """The engine; a preset gets the automatic engine if that one needs no Keras."""
        if self._engine is None and self._preset is not None and not self._chose_engine:
            from amseg_keras.engines.choose import WITHOUT_KERAS, automatic

            self._chose_engine = True
            name = automatic(self.rewritten)
            if name in WITHOUT_KERAS:
                self.compile(name, None, True)
        return self._engine

    def compile(self, engine: str, sample: np.ndarray | None, exact: bool) -> Compiled:
        """Put the network on an engine, as `Segmenter.compile_inference` describes it."""
        # Most of it is needed by engines only.
        from amseg_keras.engines.choose import compile_engine
        from amseg_keras.engines.engine import give_back_memory

        compiled = compile_engine(self.rewritten, engine, sample, exact)
        self._engine = compiled.engine
        give_back_memory()
        return compiled

    def probabilities(self, scaled: np.ndarray) -> np.ndarray:
        """Compute the class probabilities of inputs `(batch, height, width, channels)`."""
        engine = self.engine
        predict = self.model.predict_on_batch if engine is None else engine.probabilities
        return predict_any_size(predict, scaled)

    def labels(self, scaled: np.ndarray, on_tile: OnTile) -> list[Labelled]:
        """Label inputs `(batch, height, width, channels)`, in tiles if they are large."""
        engine = self.engine
        label = self._predicted_labels if engine is None else engine.labels
        # The more pixels at once, the smaller the tensors of the network must be.
        preset = self._preset
        pixels = TILE_PIXELS if preset is None else tile_pixels_for(preset.plain.width)
        return [(labels, None) for labels in label_any_size(label, scaled, pixels, on_tile)]

    def labels_and_confidence(self, scaled: np.ndarray, temperature: float) -> list[Labelled]:
        """Label inputs, with the probability of each chosen class at a temperature."""
        probabilities = self.probabilities(scaled)
        labels = probabilities.argmax(axis=-1).astype(np.uint8)
        confidence = tempered(probabilities, temperature).max(axis=-1)
        return list(zip(labels, confidence, strict=True))

    def _predicted_labels(self, scaled: np.ndarray) -> np.ndarray:
        probabilities = np.asarray(self.model.predict_on_batch(scaled))
        return np.asarray(probabilities.argmax(axis=-1), np.uint8)


def sample_of(inputs: Inputs) -> np.ndarray:
    """Return some frames as the network sees them, no larger than it sees at once.

    Args:
        inputs: Inputs of a stack; frames that cannot be read are left out.

    Returns:
        float32 `(frames, height, width, channels)`, at most 16 frames.
    """
    taken = []
    for index in spread(len(inputs.frames), MAX_SAMPLE):
        with contextlib.suppress(ReadError):
            taken.append(inputs.make(index))
    scaled = padded_frames(np.stack(taken))
    height, width = tile_shape(*scaled.shape[1:3])
    top = (scaled.shape[1] - height) // 2
    left = (scaled.shape[2] - width) // 2
    return np.ascontiguousarray(scaled[:, top : top + height, left : left + width])


def choose_device(name: str = "auto") -> str:
    """Choose the device to run on, as `keras.device` takes it.

    Args:
        name: `"auto"` (the first GPU or TPU, else the CPU), `"cpu"`, `"gpu"`, or one of several,
            as `"gpu:1"`.

    Raises:
        ValueError: there is no such device; the message lists those that the backend sees.

    Example:
        >>> choose_device("cpu")
        'cpu:0'
    """
    import keras

    devices = _visible_devices()
    if name == "auto":
        return next((device for device in devices if not device.startswith("cpu")), "cpu:0")
    wanted = name if ":" in name else f"{name}:0"
    if wanted not in devices:
        raise ValueError(f"no device {name!r}: {keras.backend.backend()} sees {', '.join(devices)}")
    return wanted


def _visible_devices() -> list[str]:
    """List names for `keras.device`, always with the CPU."""
    import keras

    if keras.backend.backend() == "torch":
        # Keras lists no devices of PyTorch
        import torch

        return ["cpu:0", *(f"gpu:{index}" for index in range(torch.cuda.device_count()))]
    listed: list[str] = keras.distribution.list_devices()
    return listed if "cpu:0" in listed else ["cpu:0", *listed]
