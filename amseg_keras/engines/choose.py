"""From the name of an engine to the engine, ready; `auto` is the first of those installed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.backend import accelerators, best_precision, may_have_accelerator
from amseg_keras.engines.engine import ENGINES, Engine, equal_fraction, installed
from amseg_keras.engines.graph import Rewritten
from amseg_keras.engines.integers import integers
from amseg_keras.engines.ncnn import NcnnEngine
from amseg_keras.engines.runners import (
    KerasEngine,
    ONNXRuntimeEngine,
    OpenVINOEngine,
    has_bfloat16,
    runs_on_gpu,
)

MAX_LOST_IOU = 0.002
"""Largest loss of the 8-bit network; a network that loses more is not used."""

WITHOUT_KERAS = ("openvino", "onnxruntime")
"""Engines of which `auto` takes the first that is installed."""

_COMPARED_FRAMES = 4


@dataclass(frozen=True)
class Compiled:
    """An engine, and why it is this one.

    Attributes:
        engine: ready to run.
        equal_labels: share of the labels that are those of float32, where it was measured.
        refused: why the engine that was asked for is not used.
        left_in_float32: convolutions of `"openvino-int8"` that would lose too much as integers.
    """

    engine: Engine
    equal_labels: float | None = None
    refused: str | None = None
    left_in_float32: int = 0

    def __str__(self) -> str:
        """One line to print."""
        text = f"engine {self.engine.name}, {self.engine.precision}"
        if self.left_in_float32:
            text += f" with {self.left_in_float32} of its convolutions in float32"
        if self.equal_labels is not None:
            text += f": {self.equal_labels:.3%} of the labels are those of float32"
        return f"{self.refused}; {text}" if self.refused else text


def compile_engine(
    rewritten: Rewritten, name: str, frames: np.ndarray | None = None, exact: bool = True
) -> Compiled:
    """Make an engine ready.

    Args:
        rewritten: the network.
        name: one of `ENGINES`.
        frames: like those to come, float32 `(frames, height, width, channels)`, scaled, sides
            multiples of 16: what equality and the ranges of integers are measured on.
        exact: `auto` stands for an engine in float32.

    Raises:
        EngineMissingError: its package is not installed.
        ValueError: there is no such engine, the processor has no bfloat16, a layer is none that
            the engine knows, or there are no frames for `"openvino-int8"`.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}: there are {', '.join(ENGINES)}")
    if name == "auto":
        name = automatic(rewritten, exact)
    if name == "openvino-int8":
        if frames is None:
            raise ValueError("openvino-int8 needs frames to take the ranges of its integers from")
        return _integers(rewritten, frames)
    on_gpu = name == "keras" and accelerators()
    return _ready(rewritten, name, frames, best_precision() if on_gpu else "float32")


def _ready(
    rewritten: Rewritten, name: str, frames: np.ndarray | None, policy: str = "float32"
) -> Compiled:
    engine = _make(rewritten, name, policy)
    if engine.precision == "float32" or frames is None:
        return Compiled(engine)
    some = frames[:: -(-len(frames) // _COMPARED_FRAMES)]
    exact = "openvino" if engine.name.startswith("openvino") else "keras"
    reference = _make(rewritten, exact).labels(some)
    return Compiled(engine, equal_labels=equal_fraction(engine.labels(some), reference))


def _make(rewritten: Rewritten, name: str, policy: str = "float32") -> Engine:
    if name == "keras":
        return KerasEngine(rewritten, policy)
    if name == "ncnn":
        return NcnnEngine(rewritten.nodes("probabilities"))
    rewritten.check()  # says now what has no translation, not at the first frame
    if name == "onnxruntime":
        return ONNXRuntimeEngine(rewritten.onnx)
    if name == "openvino":
        return OpenVINOEngine(name, rewritten.onnx)
    if not has_bfloat16():
        raise ValueError("openvino-bf16: this processor has no bfloat16; use openvino")
    return OpenVINOEngine(name, rewritten.onnx, "bfloat16")


def _integers(rewritten: Rewritten, frames: np.ndarray) -> Compiled:
    exact = _make(rewritten, "openvino")
    found = integers(rewritten, frames, exact.labels(frames), MAX_LOST_IOU)
    if found.lost < MAX_LOST_IOU:
        return Compiled(
            found.engine, equal_labels=found.equal_labels, left_in_float32=found.in_float32
        )
    return Compiled(
        exact,
        refused=f"openvino-int8 loses {100 * found.lost:.2f} points of mean IoU against float32 "
        f"on {len(frames)} frames, with {found.in_float32} convolutions left in float32; "
        f"{100 * MAX_LOST_IOU:g} are allowed",
    )


def automatic(rewritten: Rewritten, exact: bool = True) -> str:
    """Name the engine that `auto` stands for: OpenVINO, then ONNX Runtime, then Keras.

    On a GPU that its backend sees, Keras; ONNX Runtime if it is the one that sees it.

    Args:
        rewritten: the network.
        exact: compute in float32; without it in bfloat16 where the processor has it.
    """
    if accelerators():
        return "keras"
    names = [name for name in WITHOUT_KERAS if installed(name)]
    if "onnxruntime" in names and may_have_accelerator() and runs_on_gpu():
        names = ["onnxruntime"]
    if not names:
        return "keras"
    try:
        rewritten.check()
    except ValueError:
        return "keras"  # it has a layer that only Keras knows
    if names[0] == "openvino" and not exact and has_bfloat16():
        return "openvino-bf16"
    return names[0]
