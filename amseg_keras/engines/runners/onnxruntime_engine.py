"""ONNX Runtime as an engine, on a GPU where its build has one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from amseg_keras.engines.graph import Output
from amseg_keras.engines.need import installed, need
from amseg_keras.engines.threads import thread_limit

_WARNINGS_OFF = 3


class ONNXRuntimeEngine:
    """The network on the first of TensorRT, CUDA and the processor that is there.

    Args:
        graph: gives the ONNX file of an output, for frames of any size.

    Raises:
        EngineMissingError: ONNX Runtime is not installed.
    """

    name = "onnxruntime"
    precision = "float32"

    def __init__(self, graph: Callable[[Output], bytes]) -> None:
        self._runtime = need("onnxruntime")
        self._graph = graph
        self._session = functools.lru_cache(self._start)

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return self._run("labels", frames)

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return self._run("probabilities", frames)

    def _run(self, output: Output, frames: np.ndarray) -> np.ndarray:
        session = self._session(output)
        return np.concatenate(
            [
                session.run([output], {"frames": np.ascontiguousarray(frame[None])})[0]
                for frame in frames
            ]
        )

    def _start(self, output: Output) -> Any:
        options = self._runtime.SessionOptions()
        options.log_severity_level = _WARNINGS_OFF
        options.intra_op_num_threads = thread_limit() or 0  # 0: all cores
        providers = [_provider(name) for name in _providers(self._runtime)]
        return self._runtime.InferenceSession(self._graph(output), options, providers=providers)


def runs_on_gpu() -> bool:
    """Whether ONNX Runtime is installed with a GPU.

    Example:
        >>> runs_on_gpu() in (True, False)
        True
    """
    return installed("onnxruntime") and len(_providers(need("onnxruntime"))) > 1


def _providers(runtime: Any) -> list[str]:
    there = runtime.get_available_providers()
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if installed("tensorrt"):
        wanted.insert(0, "TensorrtExecutionProvider")
    return [name for name in wanted if name in there]


def _provider(name: str) -> Any:
    # TensorFloat-32 would not be float32.
    return (name, {"use_tf32": "0"}) if name == "CUDAExecutionProvider" else name
