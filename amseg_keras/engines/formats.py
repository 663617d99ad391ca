"""How each format is written, and how what was written is run."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.engines.engine import installed, need
from amseg_keras.engines.graph import Output, Rewritten
from amseg_keras.engines.onnx_file import Size, onnx_file

Run = Callable[[np.ndarray], np.ndarray]
"""From frames, float32 `(batch, height, width, channels)`, to labels or probabilities."""


class ExportError(RuntimeError):
    """A network that cannot be written in a format; the message says why and what to do."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        file: name of the file or folder.
        write: writes the network to a path.
        load: reads it back, ready to run.
        packages: what the example in the README needs.
        example: lines of Python that make `run` from the file.
    """

    file: str
    write: Callable[[Rewritten, Output, Size, Path], None]
    load: Callable[[Path], Run]
    packages: str
    example: str


def _write_onnx(rewritten: Rewritten, output: Output, size: Size, path: Path) -> None:
    path.write_bytes(onnx_file(rewritten.nodes(output), [output], size, rewritten.classes))


def _load_onnx(path: Path) -> Run:
    if not installed("onnxruntime"):
        return _load_openvino(path)  # which reads this format too
    session = need("onnxruntime").InferenceSession(
        path.read_bytes(), providers=["CPUExecutionProvider"]
    )
    return lambda frames: session.run(None, {"frames": frames})[0]


def _write_openvino(rewritten: Rewritten, output: Output, size: Size, path: Path) -> None:
    openvino = need("openvino")
    model = openvino.Core().read_model(rewritten.onnx(output))
    model.reshape([-1, size[0] or -1, size[1] or -1, rewritten.channels])
    openvino.save_model(model, path, compress_to_fp16=False)


def _load_openvino(path: Path) -> Run:
    core = need("openvino").Core()
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda frames: compiled(frames)[0]


def _write_saved_model(rewritten: Rewritten, output: Output, size: Size, path: Path) -> None:
    _export_by_keras(rewritten, output, size, path, "tf_saved_model")


def _load_saved_model(path: Path) -> Run:
    network = need("tensorflow").saved_model.load(str(path))
    return lambda frames: network.serve(frames).numpy()


def _write_litert(rewritten: Rewritten, output: Output, size: Size, path: Path) -> None:
    _export_by_keras(rewritten, output, size, path, "litert")


def _load_litert(path: Path) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's says that ai-edge-litert is its successor
        interpreter = _litert_interpreter()(str(path))

    def run(frames: np.ndarray) -> np.ndarray:
        (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.resize_tensor_input(given["index"], frames.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], frames)
        interpreter.invoke()
        labels: np.ndarray = interpreter.get_tensor(found["index"])
        return labels

    return run


def _litert_interpreter() -> Any:
    if installed("ai_edge_litert"):
        return importlib.import_module("ai_edge_litert.interpreter").Interpreter
    return need("tensorflow").lite.Interpreter


def _export_by_keras(
    rewritten: Rewritten, output: Output, size: Size, path: Path, kind: str
) -> None:
    import keras

    from amseg_keras.rewrite import label_model

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ExportError(
            f"{kind} is written by Keras on TensorFlow, and the backend here is {backend}: "
            "set KERAS_BACKEND=tensorflow, or export to onnx, which works on every backend"
        )
    network = label_model(rewritten.original) if output == "labels" else rewritten.network
    shape = (None, *size, rewritten.channels)
    signature: Any = [keras.InputSpec(shape=shape, dtype="float32", name="frames")]
    with contextlib.redirect_stdout(io.StringIO()):
        network.export(path, format=kind, input_signature=signature, verbose=False)


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        "model.onnx",
        _write_onnx,
        _load_onnx,
        "numpy onnxruntime",
        """
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")


def run(frames):
    return session.run(None, {"frames": frames})[0]
""",
    ),
    "openvino": Format(
        "model.xml",
        _write_openvino,
        _load_openvino,
        "numpy openvino",
        """
import openvino

# without the hint OpenVINO computes in bfloat16 where the processor has it
run_all = openvino.Core().compile_model("model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def run(frames):
    return run_all(frames)[0]
""",
    ),
    "tf_saved_model": Format(
        "saved_model",
        _write_saved_model,
        _load_saved_model,
        "numpy tensorflow",
        """
import tensorflow as tf

network = tf.saved_model.load("saved_model")


def run(frames):
    return network.serve(frames).numpy()
""",
    ),
    "litert": Format(
        "model.tflite",
        _write_litert,
        _load_litert,
        "numpy ai-edge-litert",
        """
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # TensorFlow has it too
    from tensorflow.lite.python.interpreter import Interpreter

interpreter = Interpreter("model.tflite")
given, found = interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def run(frames):
    interpreter.resize_tensor_input(given["index"], frames.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], frames)
    interpreter.invoke()
    return interpreter.get_tensor(found["index"])
""",
    ),
}
"""By the names that `amseg export` has for them."""
