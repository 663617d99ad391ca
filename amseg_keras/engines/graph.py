"""The rewritten network as a graph of ONNX operations, which all engines but Keras start from.

The steps are translated one by one, so the graph does not depend on how a backend traces, and
ONNX Runtime and OpenVINO read the same one. Inside it tensors are `(batch, channels, height,
width)`, as both want them. Nothing here needs Keras for a network that was read without it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from amseg_keras.engines.nodes import Nodes, translate
from amseg_keras.engines.onnx_file import INPUT, onnx_file
from amseg_keras.rewrite.graph import Graph, Node, Step, items, kind_of, width
from amseg_keras.rewrite.rules import in_float32, rewritten

if TYPE_CHECKING:
    import keras

Output = Literal["labels", "probabilities"]


def translated(network: Graph | keras.Model, output: Output) -> Nodes:
    """The network's steps as ONNX operations.

    Args:
        network: a graph, or a functional Keras model, from `(batch, height, width, channels)` to
            class probabilities.
        output: `"probabilities"`, float32 `(batch, height, width, classes)`, or `"labels"`, class
            ids, uint8 `(batch, height, width)`, found inside the graph.

    Raises:
        ValueError: a step that has no translation.
    """
    graph = network if isinstance(network, Graph) else _read(network)
    (start,), (last,) = items(graph.inputs), items(graph.outputs)
    nodes = Nodes(int(start.shape[-1] or 0))
    if output == "labels" and isinstance(last, Step) and kind_of(last.layer) == "Softmax":
        (last,) = last.inputs  # the largest score has the largest probability
    names: dict[Node, str] = {}
    for node in replace(graph, outputs=last).nodes():
        if node is start:
            names[node] = nodes.add("Transpose", [INPUT], perm=(0, 3, 1, 2))
        else:
            names[node] = translate(nodes, node, [names[before] for before in node.inputs])
    if output == "probabilities":
        nodes.add("Transpose", [names[last]], perm=(0, 2, 3, 1), output=output)
    else:
        classes = width(last)
        if classes is None:
            raise ValueError(f"{last.name}: the number of classes is not known")
        end_in_labels(nodes, names[last], classes, output)
    return nodes


def _read(model: keras.Model) -> Graph:
    from amseg_keras.rewrite.convert import read_graph

    return read_graph(model, merge_branches=True)


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


class ReadNetwork(Protocol):
    """A network that was read without Keras."""

    @property
    def channels(self) -> int:
        """Input channels."""
        ...

    @property
    def classes(self) -> int:
        """Output channels."""
        ...

    def graph(self) -> Graph:
        """The network, not rewritten yet."""
        ...


class Rewritten:
    """A network with less to compute, for inference.

    Args:
        model: Keras model from `(batch, height, width, channels)` to class probabilities, or a
            function that loads it when an engine needs Keras.
        plain: the same network, read without Keras; by default it is read from the model.
    """

    def __init__(
        self, model: keras.Model | Callable[[], keras.Model], plain: ReadNetwork | None = None
    ) -> None:
        self._model, self._plain = model, plain

    @functools.cached_property
    def original(self) -> keras.Model:
        """The Keras network as it was trained."""
        import keras

        model = self._model if isinstance(self._model, keras.Model) else self._model()
        if isinstance(model, keras.Function):
            return model
        return keras.Model(model.inputs, model.outputs)

    @functools.cached_property
    def network(self) -> keras.Model:
        """The Keras network, of plain layers."""
        from amseg_keras.rewrite import inference_model

        return inference_model(self.original)

    @functools.cached_property
    def graph(self) -> Graph:
        """The rewritten network as a graph, its weights rounded to float32 only now."""
        given = _read(self.original) if self._plain is None else self._plain.graph()
        return rewritten(given).changed(in_float32)

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.original.output_shape[-1] if self._plain is None else self._plain.classes)

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return int(self.original.input_shape[-1] if self._plain is None else self._plain.channels)

    def check(self) -> None:
        """Make sure that the network has a translation.

        Raises:
            ValueError: a step that has none.
        """
        if self._plain is None:  # others were read by what they are made of
            self.nodes("labels")

    def nodes(self, output: Output) -> Nodes:
        """The network as ONNX operations, made anew each time, as they hold all its weights."""
        return translated(self.graph, output)

    def onnx(self, output: Output) -> bytes:
        """The network as an ONNX file for frames of any size."""
        return onnx_file(self.nodes(output), [output], classes=self.classes)
