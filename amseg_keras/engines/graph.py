"""The rewritten network as a graph of ONNX operations, which all engines but Keras start from.

The layers are translated one by one, so the graph does not depend on how a backend traces, and
ONNX Runtime and OpenVINO read the same one. Inside it tensors are `(batch, channels, height,
width)`, as both want them.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from amseg_keras.engines.engine import need
from amseg_keras.engines.nodes import Nodes, translate
from amseg_keras.rewrite import inference_model

if TYPE_CHECKING:
    from onnx import ModelProto


Output = Literal["labels", "probabilities"]

INPUT = "frames"

Size = tuple[int | None, int | None]
"""Height and width of the frames, multiples of 16; `None` for any."""

_OPSET = 17
_IR_VERSION = 8  # of ONNX 1.12, which all readers of this opset know


def translated(network: keras.Model, output: Output) -> Nodes:
    """The network's layers as ONNX operations.

    Args:
        network: from `rewrite.inference_model`: plain layers, `(batch, height, width, channels)` to
            class probabilities.
        output: `"probabilities"`, float32 `(batch, height, width, classes)`, or `"labels"`, class
            ids, uint8 `(batch, height, width)`, found inside the graph.

    Raises:
        ValueError: a layer that has no translation.
    """
    nodes = Nodes(int(network.input_shape[-1]))
    names = {id(network.inputs[0]): nodes.add("Transpose", [INPUT], perm=(0, 3, 1, 2))}
    last = network.outputs[0]
    for layer in network.operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if output == "labels" and layer.output is last and isinstance(layer, keras.layers.Softmax):
            last = layer.input  # the largest score has the largest probability
            break
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = translate(nodes, layer, [names[id(tensor)] for tensor in given])
    if output == "probabilities":
        nodes.add("Transpose", [names[id(last)]], perm=(0, 2, 3, 1), output=output)
    else:
        end_in_labels(nodes, names[id(last)], int(network.output_shape[-1]), output)
    return nodes


def onnx_model(
    nodes: Nodes, outputs: list[str], size: Size = (None, None), classes: int | None = None
) -> ModelProto:
    """Make an ONNX model with one input, `frames`, float32 `(batch, height, width, channels)`.

    Args:
        nodes: from `translated`.
        outputs: names of what it gives: `"labels"`, `"probabilities"` or tensors inside.
        size: of the frames.
        classes: channels of the probabilities, to write them into the model.

    Raises:
        EngineMissingError: the package `onnx` is not installed.
    """
    onnx = need("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    shape: list[Any] = ["batch", size[0] or "height", size[1] or "width"]
    described = {
        "labels": helper.make_tensor_value_info("labels", types.UINT8, shape),
        "probabilities": helper.make_tensor_value_info(
            "probabilities", types.FLOAT, [*shape, classes or "classes"]
        ),
    }
    graph = helper.make_graph(
        [
            helper.make_node(node.kind, node.inputs, [node.output], node.output, **node.options)
            for node in nodes.all
        ],
        "amsegnet",
        [helper.make_tensor_value_info(INPUT, types.FLOAT, [*shape, nodes.channels])],
        [
            described.get(name) or helper.make_tensor_value_info(name, types.FLOAT, None)
            for name in outputs
        ],
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in nodes.arrays.items()
        ],
    )
    model: ModelProto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="amseg-keras",
    )
    return model


_UINT8 = 2  # as ONNX numbers its types


def end_in_labels(nodes: Nodes, scores: str, classes: int, output: str) -> None:
    """Append what finds the first class with the highest score, uint8 `(batch, height, width)`.

    By comparing whole tensors: an ArgMax over so few channels takes longer than all convolutions
    of the small network. Where cells of scores were laid out as pixels last, the ids are instead.

    Args:
        nodes: the graph so far.
        scores: `(batch, classes, height, width)`.
        classes: how many.
        output: name of the ids.
    """
    block = _class_by_class(nodes, scores, classes)
    if block > 1:
        scores = nodes.all.pop().inputs[0]
    parts = [
        nodes.add("Slice", [scores, *_span(nodes, number * block**2, block**2)])
        for number in range(classes)
    ]
    highest = parts[0]
    for part in parts[1:]:
        highest = nodes.add("Max", [highest, part])
    ids = _number(nodes, classes - 1)
    for number in reversed(range(classes - 1)):
        is_highest = nodes.add("GreaterOrEqual", [parts[number], highest])
        ids = nodes.add("Where", [is_highest, _number(nodes, number), ids])
    ids = nodes.add("Cast", [ids], to=_UINT8)
    if block > 1:
        ids = nodes.add("DepthToSpace", [ids], blocksize=block, mode="DCR")
    nodes.add("Squeeze", [ids, nodes.array(np.array([1], np.int64))], output=output)


def _class_by_class(nodes: Nodes, scores: str, classes: int) -> int:
    """Where a convolution gives cells that become pixels: its channels, those of one class side by
    side. The side of a cell; 1 if there are none.
    """
    made_by = {node.output: node for node in nodes.all}
    last = made_by[scores]
    if last.kind != "DepthToSpace" or last is not nodes.all[-1]:
        return 1
    convolution = made_by[last.inputs[0]]
    if convolution.kind != "Conv":
        return 1
    block = int(last.options["blocksize"])
    order = np.arange(block**2 * classes).reshape(-1, classes).T.ravel()
    for name in convolution.inputs[1:]:
        nodes.arrays[name] = nodes.arrays[name][order]
    return block


def _span(nodes: Nodes, first: int, count: int) -> list[str]:
    """Start, end and axis of a slice of channels."""
    return [nodes.array(np.array([value], np.int64)) for value in (first, first + count, 1)]


def _number(nodes: Nodes, value: int) -> str:
    return nodes.array(np.full((1, 1, 1, 1), value, np.float32))


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
