"""The end of a graph that gives class ids."""

from __future__ import annotations

import numpy as np

from amseg_keras.engines.graph.nodes import Nodes

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
