"""A network as a graph of nodes, and the parts that networks are made of as nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One step of the network; `inputs` are those before it, `name` that of its Keras layer."""

    name: str
    inputs: tuple[Node, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Start(Node):
    """An input of the network, which its Keras tensor describes."""

    tensor: Any


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
    """What a batch norm is after training: each channel times `scale`, plus `shift`."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Place:
    """In the arguments of a layer, where the input of this number goes."""

    number: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(Node):
    """A Keras layer or operation kept as it is.

    Attributes:
        layer: what is run, with its weights.
        call: its positional and its named arguments, each tensor replaced by a `Place`.
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
        """All nodes, each after its inputs."""
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
        """The graph with every node replaced by what a rule makes of it.

        Args:
            rule: takes a node whose inputs are replaced already, and of each input whether this
                node alone uses it.
        """
        nodes = self.nodes()
        uses = Counter([before for node in nodes for before in node.inputs])
        uses.update(keras.tree.flatten(self.outputs))
        made: dict[Node, Node] = {}
        for node in nodes:
            alone = tuple(uses[before] == 1 for before in node.inputs)
            before = tuple(made[before] for before in node.inputs)
            made[node] = rule(replace(node, inputs=before), alone)
        inputs, outputs = (
            keras.tree.map_structure(made.__getitem__, ends) for ends in (self.inputs, self.outputs)
        )
        return Graph(self.name, inputs, outputs)

    def _ends(self) -> Iterator[Node]:
        yield from keras.tree.flatten(self.outputs)
        yield from keras.tree.flatten(self.inputs)


def width(node: Node) -> int | None:
    """Channels of what a node gives, if known."""
    match node:
        case Conv() | UpConv():
            return int(node.kernel.shape[-1])
        case Affine():
            return len(node.scale)
        case Step():
            return node.width
        case Start():
            return int(node.tensor.shape[-1])
        case _:
            return None


def step(layer: keras.layers.Layer, *inputs: Node, name: str, width: int | None) -> Step:
    """A layer that takes one tensor, or a list of them, and gives one."""
    places = [Place(number) for number in range(len(inputs))]
    given = places[0] if len(places) == 1 else places
    return Step(name=name, inputs=inputs, layer=layer, call=((given,), {}), width=width)


def conv(x: Node, layer: keras.layers.Conv2D, name: str) -> Node:
    """A `Conv2D` with its activation, if it has one."""
    plain = layer.activation is keras.activations.linear
    made = Conv(
        name=name if plain else f"{name}_conv",
        inputs=(x,),
        kernel=values(layer.kernel),
        bias=values(layer.bias) if layer.use_bias else None,
        strides=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation_rate,
    )
    if plain:
        return made
    if layer.activation is keras.activations.relu:
        return relu(made, name)
    return step(keras.layers.Activation(layer.activation), made, name=name, width=width(made))


def norm(x: Node, layer: keras.layers.BatchNormalization, name: str) -> Affine:
    """A `BatchNormalization` of the last axis with the statistics that it has."""
    scale, shift = scale_and_shift(layer)
    return Affine(name=name, inputs=(x,), scale=scale, shift=shift)


def relu(x: Node, name: str) -> Node:
    """A ReLU."""
    return step(keras.layers.ReLU(), x, name=name, width=width(x))


def scale_and_shift(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A trained batch norm as a factor and a summand for each channel, float64."""
    mean, variance = values(layer.moving_mean), values(layer.moving_variance)
    gamma = values(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = values(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def values(variable: Any) -> np.ndarray:
    """A variable of any precision as float64, in which all arithmetic on weights is done."""
    return np.asarray(keras.ops.convert_to_numpy(variable)).astype(np.float64)
