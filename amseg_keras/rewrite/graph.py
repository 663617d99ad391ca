"""A network as a graph of nodes in plain values; a network of our own layers needs no Keras."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np


class Plain(SimpleNamespace):
    """A layer in plain values: its kind, and attributes named as in the Keras layer.

    Example:
        >>> layer = Plain(kind="Concatenate", axis=-1)
        >>> kind_of(layer), layer.axis
        ('Concatenate', -1)
    """

    kind: str


def kind_of(layer: Any) -> str:
    """Name the class of a layer of Keras, of this package or in plain values; else ""."""
    if isinstance(layer, Plain):
        return layer.kind
    made, keras = type(layer), sys.modules["keras"]
    known = getattr(keras.layers, made.__name__, None) is made
    return made.__name__ if known or made.__module__.startswith("amseg_keras.layers.") else ""


def activation_of(layer: Any) -> str | None:
    """Name the activation of a layer; None for a function that is not one of Keras."""
    given = layer.activation
    if isinstance(given, str):
        return given
    name = getattr(given, "__name__", "")
    return name if getattr(sys.modules["keras"].activations, name, None) is given else None


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """Replace every item of nested lists, tuples and dictionaries."""
    if isinstance(structure, dict):
        return {key: mapped(item, change) for key, item in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(mapped(item, change) for item in structure)
    return change(structure)


def items(structure: Any) -> list[Any]:
    """List the items of nested lists, tuples and dictionaries."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        return [found for part in structure for found in items(part)]
    return [structure]


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One step of the network, with its inputs and the name of its Keras layer."""

    name: str
    inputs: tuple[Node, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Start(Node):
    """An input of the network: its shape with the batch, and its data type."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(Node):
    """A 2-D convolution: kernel `(rows, columns, in, out)`, bias `(out,)`, no activation."""

    kernel: np.ndarray
    bias: np.ndarray | None
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class UpConv(Node):
    """A transposed 'same' convolution of stride 2: kernel `(4, 4, in, out)`, bias `(out,)`."""

    kernel: np.ndarray
    bias: np.ndarray | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Node):
    """A trained batch norm: each channel times `scale`, plus `shift`."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Place:
    """Place of an input in the arguments of a layer."""

    number: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(Node):
    """A layer or operation kept as it is.

    Attributes:
        layer: layer to run: `Plain`, or a Keras layer with its weights.
        call: positional and named arguments, each tensor replaced by a `Place`.
        width: channels of its output, if it has one output.
    """

    layer: Any
    call: tuple[tuple[Any, ...], dict[str, Any]]
    width: int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Output(Node):
    """One of several outputs of the step before it."""

    number: int


@dataclass(frozen=True)
class Graph:
    """A network: nodes in the structures that the Keras model has for its inputs and outputs."""

    name: str
    inputs: Any
    outputs: Any

    def nodes(self) -> list[Node]:
        """List all nodes, each after its inputs."""
        found: dict[Node, None] = {}
        open_nodes = [*self._ends()]
        while open_nodes:
            node = open_nodes[-1]
            missing = [before for before in node.inputs if before not in found]
            if missing:
                open_nodes.extend(missing)
            else:
                found[open_nodes.pop()] = None
        return list(found)

    def changed(self, rule: Callable[[Node, tuple[bool, ...]], Node]) -> Graph:
        """Return the graph with every node replaced by a rule.

        Args:
            rule: takes a node whose inputs are replaced already, and of each input whether this
                node alone uses it.
        """
        nodes = self.nodes()
        uses = Counter([before for node in nodes for before in node.inputs])
        uses.update(items(self.outputs))
        made: dict[Node, Node] = {}
        for node in nodes:
            alone = tuple(uses[before] == 1 for before in node.inputs)
            before = tuple(made[before] for before in node.inputs)
            made[node] = rule(replace(node, inputs=before), alone)
        inputs, outputs = (mapped(ends, made.__getitem__) for ends in (self.inputs, self.outputs))
        return Graph(self.name, inputs, outputs)

    def _ends(self) -> Iterator[Node]:
        yield from items(self.outputs)
        yield from items(self.inputs)


def width(node: Node) -> int | None:
    """Return the number of output channels of a node, if known."""
    match node:
        case Conv() | UpConv():
            return int(node.kernel.shape[-1])
        case Affine():
            return len(node.scale)
        case Step():
            return node.width
        case Start():
            return node.shape[-1]
        case _:
            return None
