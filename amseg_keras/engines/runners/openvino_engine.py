"""OpenVINO as an engine, on the processor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from amseg_keras.engines.graph import Output
from amseg_keras.engines.need import need
from amseg_keras.engines.threads import thread_limit

_SIZES = 4
"""Compiled networks kept at a time: one for each size of frames and each output."""


class OpenVINOEngine:
    """The network compiled for each size of frames, several frames at work at a time.

    Args:
        name: `"openvino"`, `"openvino-bf16"` or `"openvino-int8"`.
        graph: gives the ONNX file of an output, for frames of any size.
        precision: what the graph holds and what is computed in, as in `Engine`.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """

    def __init__(
        self, name: str, graph: Callable[[Output], bytes], precision: str = "float32"
    ) -> None:
        self.name = name
        self.precision = precision
        self._openvino = need("openvino")
        self._core = self._openvino.Core()
        self._graph = graph
        # not a decorated method, which would keep every engine alive
        self._compiled = functools.lru_cache(_SIZES)(self._compile)

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return self._run("labels", frames)

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return self._run("probabilities", frames)

    def _run(self, output: Output, frames: np.ndarray) -> np.ndarray:
        queue = self._compiled(output, *frames.shape[1:])
        found: list[Any] = [None] * len(frames)

        def keep(request: Any, index: int) -> None:
            found[index] = request.get_output_tensor().data.copy()

        queue.set_callback(keep)
        for index, frame in enumerate(frames):
            queue.start_async(np.ascontiguousarray(frame[None]), index)
        queue.wait_all()
        return np.concatenate(found)

    def _compile(self, output: Output, height: int, width: int, channels: int) -> Any:
        model = self._core.read_model(self._graph(output))
        model.reshape([1, height, width, channels])
        options: dict[str, Any] = {
            # Its own choice on processors with bfloat16 is bfloat16.
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            # Streams of few threads each, instead of all threads for one frame.
            "PERFORMANCE_HINT": "THROUGHPUT",
            # A stream that is tied to a core waits for whatever else runs there.
            "ENABLE_CPU_PINNING": False,
        }
        if (threads := thread_limit()) is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        return self._openvino.AsyncInferQueue(self._core.compile_model(model, "CPU", options))


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 by itself, as OpenVINO sees it.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """
    core = need("openvino").Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
