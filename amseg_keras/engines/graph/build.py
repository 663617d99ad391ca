"""A Keras network of plain layers as an ONNX graph, whatever the Keras backend is.

The layers are translated one by one, so the graph does not depend on how a backend traces, and
ONNX Runtime and OpenVINO read the same one. Inside it tensors are `(batch, channels, height,
width)`, as both want them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from amseg_keras.engines.graph.labels import end_in_labels
from amseg_keras.engines.graph.nodes import Nodes
from amseg_keras.engines.graph.translate import translate
from amseg_keras.engines.need import need

if TYPE_CHECKING:
    import onnx

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
) -> onnx.ModelProto:
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
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="amseg-keras",
    )
