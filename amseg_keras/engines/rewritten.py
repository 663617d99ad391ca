"""The rewritten network in the forms that engines start from, each made once."""

from __future__ import annotations

import functools
import hashlib
import json

import keras
import numpy as np

from amseg_keras.engines.graph import Nodes, Output, onnx_model, translated
from amseg_keras.rewrite import inference_model


class Rewritten:
    """A network with less to compute, for inference.

    Args:
        model: from `(batch, height, width, channels)` to class probabilities.
    """

    def __init__(self, model: keras.Model) -> None:
        functional = isinstance(model, keras.Function)
        self.original = model if functional else keras.Model(model.inputs, model.outputs)

    @functools.cached_property
    def network(self) -> keras.Model:
        """The Keras network, of plain layers."""
        return inference_model(self.original)

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.original.output_shape[-1])

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return int(self.original.input_shape[-1])

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the network's layers and weights."""
        digest = hashlib.sha256(json.dumps(self.original.get_config(), default=str).encode())
        for weight in self.original.get_weights():
            digest.update(np.asarray(weight).tobytes())
        return digest.hexdigest()

    def nodes(self, output: Output) -> Nodes:
        """The network as ONNX operations, made anew each time, as they hold all its weights."""
        return translated(self.network, output)

    def onnx(self, output: Output) -> bytes:
        """The network as an ONNX file for frames of any size."""
        model = onnx_model(self.nodes(output), [output], classes=self.classes)
        return bytes(model.SerializeToString())
