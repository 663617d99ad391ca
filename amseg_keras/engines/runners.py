"""Keras, ONNX Runtime and OpenVINO as engines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from amseg_keras.backend import accelerators, forward_pass
from amseg_keras.engines.engine import installed, need, thread_limit
from amseg_keras.engines.graph import Output, Rewritten


class KerasEngine:
    """The rewritten network on the device that Keras uses.

    Args:
        rewritten: the network.
        policy: Keras dtype policy, such as `"float32"` or `"mixed_float16"`.
    """

    name = "keras"

    def __init__(self, rewritten: Rewritten, policy: str = "float32") -> None:
        from amseg_keras.models.precision import in_precision
        from amseg_keras.rewrite import label_model

        self.precision = policy.removeprefix("mixed_")
        network = rewritten.network
        labels = label_model(rewritten.original)
        if policy != "float32":
            network, labels = in_precision(network, policy), in_precision(labels, policy)
        self._probabilities = forward_pass(network, training=False)
        self._labels = forward_pass(labels, training=False)
        # A GPU that is given one frame at a time waits for most of the time.
        self._run = _all_at_once if accelerators() else _one_by_one

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return self._run(self._labels, frames).astype(np.uint8)

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return self._run(self._probabilities, frames)


def _all_at_once(run: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    return run(frames)


def _one_by_one(run: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    """Backends choose their kernels by the size of the batch, and round differently by them."""
    return np.concatenate([run(frame[None]) for frame in frames])


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


_IN_A_ROW = 3
"""Frames alone, after several at a time, from which on more are expected to come alone."""

_SIZES = 4
"""Compiled networks kept at a time: one for each size of frames and each output."""


class OpenVINOEngine:
    """The network compiled for each size of frames.

    Of several frames, one a core is at work at a time. A frame that comes alone is computed by all
    cores.

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
        self._at_once: set[tuple[int, ...]] = set()
        self._alone = 0

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return self._run("labels", frames)

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return self._run("probabilities", frames)

    def _run(self, output: Output, frames: np.ndarray) -> np.ndarray:
        if self._is_alone(frames):
            request = self._compiled(output, frames.shape[1:], True)
            request.infer([np.ascontiguousarray(frames)], share_inputs=True)
            return np.array(request.get_output_tensor().data)
        queue = self._compiled(output, frames.shape[1:], False)
        found: list[Any] = [None] * len(frames)
        given: list[np.ndarray] = []

        def keep(request: Any, index: int) -> None:
            found[index] = request.get_output_tensor().data.copy()

        queue.set_callback(keep)
        for index, frame in enumerate(frames):
            # `given` outlives the requests, which read it where it is.
            given.append(np.ascontiguousarray(frame[None]))
            queue.start_async(given[-1], index, share_inputs=True)
        queue.wait_all()
        return np.concatenate(found)

    def _is_alone(self, frames: np.ndarray) -> bool:
        """Whether all cores shall compute one frame, for which the network is compiled again.

        The last frame of a stack comes alone too: it goes the way of those before it.
        """
        size = frames.shape[1:]
        if len(frames) > 1:
            self._at_once.add(size)
            self._alone = 0
        else:
            self._alone += 1
        return len(frames) == 1 and (size not in self._at_once or self._alone > _IN_A_ROW)

    def _compile(self, output: Output, size: tuple[int, ...], alone: bool) -> Any:
        model = self._core.read_model(self._graph(output))
        model.reshape([1, *size])
        options: dict[str, Any] = {
            # Its own choice on processors with bfloat16 is bfloat16.
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            # All threads for one frame, or streams of few threads each.
            "PERFORMANCE_HINT": "LATENCY" if alone else "THROUGHPUT",
            # A stream that is tied to a core waits for whatever else runs there.
            "ENABLE_CPU_PINNING": False,
        }
        if (threads := thread_limit()) is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        compiled = self._core.compile_model(model, "CPU", options)
        return (
            compiled.create_infer_request() if alone else self._openvino.AsyncInferQueue(compiled)
        )


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 by itself, as OpenVINO sees it.

    Raises:
        EngineMissingError: OpenVINO is not installed.
    """
    core = need("openvino").Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
