"""What the machine can do at most: large matrix products in each precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from amseg_keras.backend import accelerators, best_precision
from amseg_keras.engines.engine import installed, need

_SIDE = 2048
_PRODUCTS = 6
_OPERATIONS = _PRODUCTS * 2 * _SIDE**3


@dataclass(frozen=True)
class Peak:
    """Six matrix products of 2048 x 2048 numbers in a row, to be timed beside the networks.

    Attributes:
        precision: As an engine's.
        run: All of them once.
    """

    precision: str
    run: Callable[[], object]

    def giga_operations_per_second(self) -> float:
        """Multiplications and additions, 1e9 a second."""
        began = time.perf_counter()
        self.run()
        return _OPERATIONS / (time.perf_counter() - began) / 1e9


def measurable_peaks() -> list[Peak]:
    """A peak for each precision that can be measured here.

    On a GPU or TPU those of Keras, else those of OpenVINO, without it NumPy's in float32.
    """
    if accelerators():
        mixed = best_precision().removeprefix("mixed_")
        return [_by_keras("float32"), _by_keras(mixed)]
    if installed("openvino"):
        return [_by_openvino("float32", "f32"), _by_openvino("bfloat16", "bf16")]
    return [_by_numpy()]


def _by_keras(precision: str) -> Peak:
    rng = np.random.default_rng(0)
    a = keras.ops.convert_to_tensor(rng.normal(0, _SIDE**-0.5, (_SIDE, _SIDE)), precision)

    def run() -> object:
        found = a
        for _ in range(_PRODUCTS):
            found = keras.ops.matmul(found, a)
        # Only what is wanted here is waited for.
        return keras.ops.convert_to_numpy(found[0, 0])

    return Peak(precision, run)


def _by_numpy() -> Peak:
    a = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
    return Peak("float32", lambda: [a @ a for _ in range(_PRODUCTS)])


def _by_openvino(precision: str, hint: str) -> Peak:
    openvino, ops = need("openvino"), need("openvino.opset13")
    rng = np.random.default_rng(0)
    given = ops.parameter([_SIDE, _SIDE], np.float32)
    found = given
    for _ in range(_PRODUCTS):
        # Constants, as the weights of a network are.
        kernel = ops.constant(rng.normal(0, _SIDE**-0.5, (_SIDE, _SIDE)).astype(np.float32))
        found = ops.matmul(found, kernel, False, False)
    options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Model([found], [given])
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    value = rng.normal(size=(_SIDE, _SIDE)).astype(np.float32)
    return Peak(precision, lambda: request.infer([value]))
