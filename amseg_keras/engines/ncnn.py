"""ncnn as an engine: the network in its format, run by Winograd convolutions in float32."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.backend import usable_cores
from amseg_keras.engines.engine import need, thread_limit
from amseg_keras.engines.nodes import Node, Nodes

_CHANNELS = 1
"""The axis over which tensors are concatenated and classes compared."""

_MAGIC = "7767517"
_STORED_AS_FLOAT32 = np.uint32(0).tobytes()
_FUSED = {"ReLU": 1, "Sigmoid": 4}
"""Activations that a convolution applies itself, as ncnn numbers them."""

_ACTIVATION = 9  # the number of that option


@dataclass(frozen=True)
class NcnnModel:
    """A network for `ncnn.Net`.

    Attributes:
        layers: for `load_param_mem`.
        weights: for `load_model`, which reads them from a file.
        frames: name of what it takes, float32 `(channels, height, width)`.
        scores: name of what the softmax takes, `(classes, height, width)`.
        probabilities: name of what it gives.
    """

    layers: str
    weights: bytes
    frames: str
    scores: str
    probabilities: str


@dataclass(frozen=True)
class _Layer:
    kind: str
    inputs: tuple[str, ...]
    output: str
    options: Mapping[int, int]
    weights: bytes = b""


Arrays = Mapping[str, np.ndarray]


def ncnn_model(nodes: Nodes) -> NcnnModel:
    """A graph in ncnn's format, channels first throughout.

    Args:
        nodes: from `translated`, ending in probabilities.

    Raises:
        ValueError: an operation that has no translation.
    """
    if (reason := untranslatable(nodes)) is not None:
        raise ValueError(reason)
    first, *inside, last = nodes.all  # the ends turn channels last to channels first, and back
    layers = [_Layer("Input", (), first.output, {})]
    for node in inside:
        constants = [n for n in node.inputs if n in nodes.arrays and node.kind in _ELEMENTWISE]
        layers += [_constant(name, nodes.arrays[name]) for name in constants]
        layers.append(_TRANSLATIONS[node.kind](node, nodes.arrays))
    (probabilities,) = last.inputs
    scores = inside[-1].inputs[0] if inside[-1].kind == "Softmax" else probabilities
    layers = list(_with_activations(layers, keep={scores, probabilities}))
    weights = b"".join(layer.weights for layer in layers)
    return NcnnModel(_text(layers), weights, first.output, scores, probabilities)


def untranslatable(nodes: Nodes) -> str | None:
    """Why a graph cannot be had in ncnn's format, if it cannot."""
    for node in nodes.all[1:-1]:
        if node.kind not in _TRANSLATIONS or node.options.get("axis", _CHANNELS) != _CHANNELS:
            return f"{node.output}: this {node.kind} has no translation to ncnn"
    return None


def _with_activations(layers: list[_Layer], keep: set[str]) -> Iterator[_Layer]:
    """Activations made part of the convolutions whose results nothing else takes."""
    users: dict[str, list[_Layer]] = {}
    for layer in layers:
        for name in layer.inputs:
            users.setdefault(name, []).append(layer)
    merged = set()
    for layer in layers:
        match users.get(layer.output):
            case [_Layer(kind=("ReLU" | "Sigmoid") as kind) as activation] if (
                layer.kind in _CONVOLUTIONS and layer.output not in keep
            ):
                merged.add(activation.output)
                options = {**layer.options, _ACTIVATION: _FUSED[kind]}
                yield replace(layer, output=activation.output, options=options)
            case _ if layer.output not in merged:
                yield layer


def _text(layers: list[_Layer]) -> str:
    """The file of layers; a tensor that several take is copied for each."""
    uses = Counter(name for layer in layers for name in layer.inputs)
    copies = {name: [f"{name}_{n}" for n in range(count)] for name, count in uses.items()}
    lines: list[str] = []
    tensors = 0

    def line(kind: str, inputs: list[str], outputs: list[str], options: Iterable[str] = ()) -> None:
        nonlocal tensors
        tensors += len(outputs)
        counts = [str(len(inputs)), str(len(outputs))]
        lines.append(" ".join([kind, f"layer_{len(lines)}", *counts, *inputs, *outputs, *options]))

    for layer in layers:
        given = [copies[name].pop() if uses[name] > 1 else name for name in layer.inputs]
        line(layer.kind, given, [layer.output], [f"{k}={v}" for k, v in layer.options.items()])
        if uses[layer.output] > 1:
            line("Split", [layer.output], list(copies[layer.output]))
    return "\n".join([_MAGIC, f"{len(lines)} {tensors}", *lines, ""])


def _constant(name: str, array: np.ndarray) -> _Layer:
    """An array `(1, channels, 1, 1)` as a tensor."""
    options = {0: 1, 1: 1, 2: array.size}
    return _Layer("MemoryData", (), name, options, np.float32(array).tobytes())


def _convolution(node: Node, arrays: Arrays) -> _Layer:
    kernel, group = arrays[node.inputs[1]], int(node.options["group"])
    dilation = node.options["dilations"]
    kind = "ConvolutionDepthWise" if group > 1 else "Convolution"
    more = {2: dilation[1], 12: dilation[0], **({7: group} if group > 1 else {})}
    return _convolving(kind, node, arrays, kernel, more)


def _deconvolution(node: Node, arrays: Arrays) -> _Layer:
    kernel = arrays[node.inputs[1]].transpose(1, 0, 2, 3)
    return _convolving("Deconvolution", node, arrays, kernel, {})


def _convolving(
    kind: str, node: Node, arrays: Arrays, kernel: np.ndarray, more: Mapping[int, int]
) -> _Layer:
    rows, columns = node.options["kernel_shape"]
    down, right = node.options["strides"]
    top, left, bottom, end = node.options["pads"]
    bias = node.inputs[2:]
    options = {
        0: kernel.shape[0],  # channels of the output
        1: columns,
        11: rows,
        3: right,  # strides
        13: down,
        4: left,  # padding
        15: end,
        14: top,
        16: bottom,
        5: len(bias),  # whether there is one
        6: kernel.size,
        **more,
    }
    weights = _STORED_AS_FLOAT32 + np.float32(kernel).tobytes()
    weights += b"".join(np.float32(arrays[name]).tobytes() for name in bias)
    return _Layer(kind, node.inputs[:1], node.output, options, weights)


def _max_pooling(node: Node, arrays: Arrays) -> _Layer:
    (rows, columns), (down, right) = node.options["kernel_shape"], node.options["strides"]
    valid_only = 1
    options = {0: 0, 1: columns, 11: rows, 2: right, 12: down, 5: valid_only}
    return _Layer("Pooling", node.inputs, node.output, options)


def _nearest_upsampling(node: Node, arrays: Arrays) -> _Layer:
    down, right = (int(factor) for factor in arrays[node.inputs[2]][2:])
    return _Layer("Interp", node.inputs[:1], node.output, {0: 1, 1: down, 2: right})


def _depth_to_space(node: Node, arrays: Arrays) -> _Layer:
    channels_innermost = 1
    options = {0: int(node.options["blocksize"]), 1: channels_innermost}
    return _Layer("PixelShuffle", node.inputs, node.output, options)


def _plain(kind: str, **options: int) -> Callable[[Node, Arrays], _Layer]:
    numbered = {int(name[1:]): value for name, value in options.items()}
    return lambda node, arrays: _Layer(kind, node.inputs, node.output, numbered)


_CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise", "Deconvolution")
_ELEMENTWISE = ("Add", "Mul")
_TRANSLATIONS: Mapping[str, Callable[[Node, Arrays], _Layer]] = {
    "Add": _plain("BinaryOp", _0=0),
    "Concat": _plain("Concat", _0=0),
    "Conv": _convolution,
    "ConvTranspose": _deconvolution,
    "DepthToSpace": _depth_to_space,
    "MaxPool": _max_pooling,
    "Mul": _plain("BinaryOp", _0=2),
    "Relu": _plain("ReLU"),
    "Resize": _nearest_upsampling,
    "Sigmoid": _plain("Sigmoid"),
    "Softmax": _plain("Softmax", _0=0, _1=1),
}


_LESS_THAN_FLOAT32 = (
    "use_bf16_packed",
    "use_bf16_storage",
    "use_fp16_arithmetic",
    "use_fp16_packed",
    "use_fp16_storage",
)

_LEAST_FILLED = 0.25
"""Of a block of memory, by what it is used for again: with less, small tensors take large blocks,
with more, blocks wait for a tensor of their size. AM-SegNet needs the least memory so."""


class NcnnEngine:
    """The network in one thread for each frame, several frames at work at a time.

    A 3x3 convolution of 36 outputs at a time multiplies 64 times for each channel where the
    definition multiplies 324 times (Winograd's minimal filtering), for an error in the
    probabilities of about 1e-5.

    Args:
        nodes: the network, ending in probabilities.

    Raises:
        EngineMissingError: ncnn is not installed.
        ValueError: an operation has no translation.
    """

    name = "ncnn"
    precision = "float32"

    def __init__(self, nodes: Nodes) -> None:
        self._ncnn = need("ncnn")
        model = ncnn_model(nodes)
        self._frames, self._scores = model.frames, model.scores
        self._probabilities = model.probabilities
        self._net = self._ncnn.Net()
        self._net.opt.num_threads = 1
        for option in _LESS_THAN_FLOAT32:
            setattr(self._net.opt, option, False)
        with tempfile.TemporaryDirectory() as folder:
            # from memory it would be used in place, and only where it is aligned
            file = Path(folder) / "weights.bin"
            file.write_bytes(model.weights)
            if self._net.load_param_mem(model.layers) or self._net.load_model(str(file)):
                raise RuntimeError("ncnn does not read the network that was written for it")
        self._blocks = _Blocks(self._ncnn)
        self._threads = ThreadPoolExecutor(thread_limit() or usable_cores())

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return np.stack(list(self._threads.map(self._labels_of, frames)))

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        found = self._threads.map(lambda frame: self._run(frame, self._probabilities), frames)
        return np.stack([np.moveaxis(classes, 0, -1) for classes in found])

    def _labels_of(self, frame: np.ndarray) -> np.ndarray:
        first, *others = self._run(frame, self._scores)
        ids, highest = np.zeros(first.shape, np.uint8), first
        for number, scores in enumerate(others, start=1):
            ids[scores > highest] = number
            np.maximum(highest, scores, out=highest)
        return ids

    def _run(self, frame: np.ndarray, output: str) -> np.ndarray:
        extractor = self._net.create_extractor()
        extractor.set_blob_allocator(self._blocks.tensors)
        extractor.set_workspace_allocator(self._blocks.scratch)
        channels_first = np.ascontiguousarray(np.moveaxis(frame, -1, 0))
        # a copy, as a first layer that works in place crashes on memory that is not ncnn's own
        extractor.input(self._frames, self._ncnn.Mat(channels_first).clone())
        failed, found = extractor.extract(output)
        if failed:
            raise RuntimeError(f"ncnn could not run the network on {frame.shape[:2]} pixels")
        return np.array(found)


class _Blocks(threading.local):
    """Memory that a thread uses again from frame to frame.

    The pools of a net serve all threads, and grow for hundreds of frames, as it is chance which
    block a thread finds there.
    """

    def __init__(self, ncnn: Any) -> None:
        self.tensors, self.scratch = ncnn.UnlockedPoolAllocator(), ncnn.UnlockedPoolAllocator()
        for pool in (self.tensors, self.scratch):
            pool.set_size_compare_ratio(_LEAST_FILLED)
