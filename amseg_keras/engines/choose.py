"""From the name of an engine to the engine, ready; `auto` is the fastest of those here."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.backend import accelerators, best_precision, hardware
from amseg_keras.cache import cache_folder
from amseg_keras.engines.engine import (
    ENGINES,
    Engine,
    equal_fraction,
    give_back_memory,
    installed,
    milliseconds_per_frame,
    need,
)
from amseg_keras.engines.graph import Rewritten
from amseg_keras.engines.integers import integers
from amseg_keras.engines.ncnn import NcnnEngine, untranslatable
from amseg_keras.engines.runners import (
    KerasEngine,
    ONNXRuntimeEngine,
    OpenVINOEngine,
    has_bfloat16,
    runs_on_gpu,
)
from amseg_keras.versions import versions

MAX_LOST_IOU = 0.002
"""Of the 8-bit network; one that loses more is not used."""

MIN_EQUAL = 0.999
"""Share of the labels of a float32 engine that are those of Keras, or it is not chosen."""

_USUAL_SIZE = (256, 512)
_TIMED_SIDE = 512
_TIMED_FRAMES = 4
_COMPARED_FRAMES = 4


@dataclass(frozen=True)
class Compiled:
    """An engine, and why it is this one.

    Attributes:
        engine: ready to run.
        milliseconds: that a frame took on each engine, where several were tried.
        equal_labels: share of the labels that are those of float32, where it was measured.
        refused: why the engine that was asked for is not used.
        left_in_float32: convolutions of `"openvino-int8"` that would lose too much as integers.
    """

    engine: Engine
    milliseconds: dict[str, float] = field(default_factory=dict)
    equal_labels: float | None = None
    refused: str | None = None
    left_in_float32: int = 0

    def __str__(self) -> str:
        """One line to print."""
        text = f"engine {self.engine.name}, {self.engine.precision}"
        if self.left_in_float32:
            text += f" with {self.left_in_float32} of its convolutions in float32"
        if self.milliseconds:
            times = sorted(self.milliseconds.items(), key=lambda item: item[1])
            text += ": " + ", ".join(f"{name} {time:.0f} ms a frame" for name, time in times)
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
            multiples of 16: what speed, equality and the ranges of integers are measured on.
            Without them speed is measured on noise, and equality is not.
        exact: `auto` chooses among engines in float32 only.

    Raises:
        EngineMissingError: its package is not installed.
        ValueError: there is no such engine, the processor has no bfloat16, a layer is none that
            the engine knows, or there are no frames for `"openvino-int8"`.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}: there are {', '.join(ENGINES)}")
    if name == "auto":
        return _fastest(rewritten, frames, exact)
    if name == "openvino-int8":
        if frames is None:
            raise ValueError("openvino-int8 needs frames to take the ranges of its integers from")
        return _integers(rewritten, frames)
    return _ready(rewritten, name, frames, best_precision() if accelerators() else "float32")


def _ready(
    rewritten: Rewritten, name: str, frames: np.ndarray | None, policy: str = "float32"
) -> Compiled:
    engine = _make(rewritten, name, policy)
    if engine.precision == "float32" or frames is None:
        return Compiled(engine)
    some = frames[:: -(-len(frames) // _COMPARED_FRAMES)]
    reference = _make(rewritten, "keras").labels(some)
    return Compiled(engine, equal_labels=equal_fraction(engine.labels(some), reference))


def _make(rewritten: Rewritten, name: str, policy: str = "float32") -> Engine:
    if name == "keras":
        return KerasEngine(rewritten, policy)
    if name == "ncnn":
        return NcnnEngine(rewritten.nodes("probabilities"))
    need("onnx")
    rewritten.nodes("labels")  # says now what has no translation, not at the first frame
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


def _candidates(rewritten: Rewritten, exact: bool) -> list[str]:
    """Engines that could be the fastest here."""
    names = ["keras"]
    try:
        rewritten.nodes("labels")
    except ValueError:
        return names  # a layer that only Keras knows
    on_gpu = bool(accelerators())
    if installed("openvino", "onnx") and not on_gpu:
        names.append("openvino")
        if not exact and has_bfloat16():
            names.append("openvino-bf16")
    if installed("onnxruntime", "onnx") and on_gpu == runs_on_gpu():
        names.append("onnxruntime")
    if installed("ncnn") and not on_gpu and not untranslatable(rewritten.nodes("probabilities")):
        names.append("ncnn")
    return names


def _fastest(rewritten: Rewritten, frames: np.ndarray | None, exact: bool) -> Compiled:
    names = _candidates(rewritten, exact)
    if len(names) == 1:
        return _ready(rewritten, names[0], frames)
    part = _part(_noise(rewritten.channels) if frames is None else frames)
    key = choice_key(rewritten.fingerprint, part.shape[1:3], names)
    times = remembered(key)
    if not times or not set(times) <= set(names):
        times = _measured(rewritten, names, part)
        remember(key, times)
    fastest = min(times, key=times.__getitem__)
    return replace(_ready(rewritten, fastest, frames), milliseconds=times)


def _measured(rewritten: Rewritten, names: list[str], frames: np.ndarray) -> dict[str, float]:
    """Milliseconds a frame of each engine that finds what Keras finds; one in memory at a time."""
    times: dict[str, float] = {}
    expected = None
    for name in names:  # Keras first
        engine = _make(rewritten, name)
        found = engine.labels(frames)
        expected = found if expected is None else expected
        if engine.precision != "float32" or equal_fraction(found, expected) >= MIN_EQUAL:
            times[name] = milliseconds_per_frame(engine, frames)
        del engine
        give_back_memory()
    return times


def _part(frames: np.ndarray) -> np.ndarray:
    """Enough of the frames to tell which engine is faster, and no more, as it costs time."""
    several = np.resize(frames, (_TIMED_FRAMES, *frames.shape[1:]))
    return np.ascontiguousarray(several[:, :_TIMED_SIDE, :_TIMED_SIDE])


def _noise(channels: int) -> np.ndarray:
    return np.random.default_rng(0).random((1, *_USUAL_SIZE, channels), np.float32)


_PACKAGES = ("openvino", "onnx", "onnxruntime", "onnxruntime-gpu", "ncnn")


def choice_key(fingerprint: str, size: tuple[int, int], candidates: list[str]) -> str:
    """What a choice is valid for: the network, the frames, the software and the machine.

    Args:
        fingerprint: of the network.
        size: height and width of the frames.
        candidates: engines to choose from.
    """
    packages = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    valid_for = [fingerprint, size, candidates, versions(), packages, hardware(), _processor()]
    return hashlib.sha256(json.dumps(valid_for).encode()).hexdigest()


def remembered(key: str) -> dict[str, float] | None:
    """Milliseconds a frame of each engine, if they were measured before."""
    try:
        times = json.loads(_file().read_text("utf-8"))[key]
        return {str(name): float(time) for name, time in times.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(key: str, times: dict[str, float]) -> None:
    """Write what was measured; where the cache cannot be written, it is measured again."""
    file = _file()
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with complete_or_absent(file) as temporary:
            temporary.write_text(json.dumps({**known, key: times}, indent=1) + "\n", "utf-8")


def _file() -> Path:
    return cache_folder() / "engines.json"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()
