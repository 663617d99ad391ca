"""The nodes of an ONNX graph, and the nodes that each plain Keras layer becomes, channels first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from amseg_keras.layers import DepthToSpace


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        kind: ONNX operator.
        inputs: names of what it takes.
        output: name of what it gives.
        options: attributes of the operator.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: dict[str, Any]


@dataclass
class Nodes:
    """Operations in the order in which they run, and the arrays that they take.

    Args:
        channels: Number of channels of the network's input.

    Example:
        >>> nodes = Nodes()
        >>> doubled = nodes.add("Mul", ["frames", nodes.array(np.float32([2]))])
        >>> nodes.add("Relu", [doubled])
        'relu_2'
    """

    channels: int = 1
    all: list[Node] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self, kind: str, inputs: Sequence[str], output: str | None = None, **options: Any
    ) -> str:
        """Append an operation; the name of its output."""
        output = output or f"{kind.lower()}_{len(self.all) + 1}"
        self.all.append(Node(kind, tuple(inputs), output, options))
        return output

    def array(self, values: np.ndarray, name: str | None = None) -> str:
        """Add a constant; its name."""
        name = name or f"array_{len(self.arrays) + 1}"
        self.arrays[name] = values
        return name


_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid"}

Translation = Callable[[Nodes, Any, list[str]], str]


def translate(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    """Append what a layer does.

    Args:
        nodes: the graph so far.
        layer: of a functional model, with its weights.
        inputs: names of what the layer takes.

    Returns:
        The name of what it gives.

    Raises:
        ValueError: the layer, or an option of it, has no translation.
    """
    for kind, write in _TRANSLATIONS.items():
        if type(layer) is kind:
            return write(nodes, layer, inputs)
    raise ValueError(f"{layer.name}: a {type(layer).__name__} layer has no translation to ONNX")


def _convolution(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    kernel = _values(layer.kernel).transpose(3, 2, 0, 1)
    strides, dilation = tuple(layer.strides), tuple(layer.dilation_rate)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    if layer.padding == "same":
        # Sides are multiples of the strides: what is missing is the overhang of the kernel.
        reach = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, dilation, strict=True)]
        pads = _around([max(r - s, 0) for r, s in zip(reach, strides, strict=True)])
    found = nodes.add(
        "Conv",
        [*inputs, nodes.array(kernel), *_bias(nodes, layer)],
        kernel_shape=tuple(layer.kernel_size),
        strides=strides,
        dilations=dilation,
        group=int(layer.groups),
        pads=pads,
    )
    return _activated(nodes, found, layer)


def _transposed_convolution(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    if layer.padding != "same" or any(
        k < s for k, s in zip(layer.kernel_size, layer.strides, strict=True)
    ):
        raise ValueError(f"{layer.name}: only 'same' padding has a translation to ONNX")
    kernel = _values(layer.kernel).transpose(3, 2, 0, 1)
    found = nodes.add(
        "ConvTranspose",
        [*inputs, nodes.array(kernel), *_bias(nodes, layer)],
        kernel_shape=tuple(layer.kernel_size),
        strides=tuple(layer.strides),
        pads=_around([k - s for k, s in zip(layer.kernel_size, layer.strides, strict=True)]),
    )
    return _activated(nodes, found, layer)


def _max_pooling(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return nodes.add(
        "MaxPool", inputs, kernel_shape=tuple(layer.pool_size), strides=tuple(layer.strides)
    )


def _upsampling(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    if layer.interpolation != "nearest":
        raise ValueError(f"{layer.name}: only nearest upsampling has a translation to ONNX")
    scales = nodes.array(np.array([1, 1, *layer.size], np.float32))
    return nodes.add(
        "Resize",
        [*inputs, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _concatenation(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return nodes.add("Concat", inputs, axis=_channels_first(layer.axis))


def _sum(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return _folded(nodes, "Add", inputs)


def _product(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return _folded(nodes, "Mul", inputs)


def _normalisation(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    """Of inference: a factor and an offset for each channel."""
    factor = 1 / np.sqrt(_values(layer.moving_variance).astype(np.float64) + layer.epsilon)
    if layer.scale:
        factor = factor * _values(layer.gamma)
    offset = -factor * _values(layer.moving_mean)
    if layer.center:
        offset = offset + _values(layer.beta)
    scaled = nodes.add("Mul", [*inputs, nodes.array(_per_channel(factor))])
    return nodes.add("Add", [scaled, nodes.array(_per_channel(offset))])


def _activation(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return _activated(nodes, inputs[0], layer)


def _relu(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return nodes.add("Relu", inputs)


def _softmax(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return nodes.add("Softmax", inputs, axis=_channels_first(layer.axis))


def _depth_to_space(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return nodes.add("DepthToSpace", inputs, blocksize=layer.block, mode="DCR")


def _nothing(nodes: Nodes, layer: Any, inputs: list[str]) -> str:
    return inputs[0]


_TRANSLATIONS: dict[type, Translation] = {
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv2DTranspose: _transposed_convolution,
    keras.layers.MaxPooling2D: _max_pooling,
    keras.layers.UpSampling2D: _upsampling,
    keras.layers.Concatenate: _concatenation,
    keras.layers.Add: _sum,
    keras.layers.Multiply: _product,
    keras.layers.BatchNormalization: _normalisation,
    keras.layers.Activation: _activation,
    keras.layers.ReLU: _relu,
    keras.layers.Softmax: _softmax,
    keras.layers.Dropout: _nothing,
    DepthToSpace: _depth_to_space,
}


def _activated(nodes: Nodes, name: str, layer: Any) -> str:
    activation = keras.activations.serialize(layer.activation)
    if activation == "linear":
        return name
    if activation == "softmax":
        return nodes.add("Softmax", [name], axis=1)
    if activation not in _ACTIVATIONS:
        raise ValueError(f"{layer.name}: activation {activation} has no translation to ONNX")
    return nodes.add(_ACTIVATIONS[activation], [name])


def _folded(nodes: Nodes, kind: str, inputs: list[str]) -> str:
    """An operation of two, applied to any number."""
    found = inputs[0]
    for other in inputs[1:]:
        found = nodes.add(kind, [found, other])
    return found


def _bias(nodes: Nodes, layer: Any) -> list[str]:
    return [nodes.array(_values(layer.bias))] if layer.use_bias else []


def _values(weight: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float32)


def _per_channel(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).reshape(1, -1, 1, 1)


def _around(total: list[int]) -> tuple[int, ...]:
    """Padding or cropping: first before, then after; the odd pixel after, as Keras has it."""
    before = [amount // 2 for amount in total]
    return (*before, *(amount - first for amount, first in zip(total, before, strict=True)))


def _channels_first(axis: int) -> int:
    """The axis where Keras has `(batch, height, width, channels)`."""
    return (0, 2, 3, 1)[axis % 4]
