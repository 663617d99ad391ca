"""The nodes of an ONNX graph, and the nodes that each step of a network becomes, channels first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from amseg_keras.rewrite.blocks import scale_and_shift, values
from amseg_keras.rewrite.graph import (
    Affine,
    Conv,
    Step,
    UpConv,
    activation_of,
    kind_of,
)
from amseg_keras.rewrite.graph import Node as Given


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

Translation = Callable[[Nodes, Step, list[str]], str]


def translate(nodes: Nodes, given: Given, inputs: list[str]) -> str:
    """Append what a step of a network does.

    Args:
        nodes: the graph so far.
        given: the step, with its weights.
        inputs: names of what it takes.

    Returns:
        The name of what it gives.

    Raises:
        ValueError: the step, or an option of it, has no translation.
    """
    match given:
        case Conv():
            return _convolution(nodes, given, inputs)
        case UpConv():
            return _transposed(nodes, inputs, given.kernel.swapaxes(2, 3), given.bias, (2, 2))
        case Affine():
            return _scaled(nodes, inputs, given.scale, given.shift)
        case Step() if (write := _TRANSLATIONS.get(kind_of(given.layer))) is not None:
            return write(nodes, given, inputs)
        case Step():
            kind = kind_of(given.layer) or type(given.layer).__name__
            raise ValueError(f"{given.name}: a {kind} layer has no translation to ONNX")
    raise ValueError(f"{given.name}: one of several outputs has no translation to ONNX")


def _convolution(nodes: Nodes, given: Conv, inputs: list[str]) -> str:
    return _convolved(
        nodes,
        inputs,
        (given.kernel, given.bias),
        strides=given.strides,
        dilation=given.dilation,
        same=given.padding == "same",
    )


def _grouped_convolution(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    layer = step.layer
    found = _convolved(
        nodes,
        inputs,
        (values(layer.kernel), values(layer.bias) if layer.use_bias else None),
        strides=tuple(layer.strides),
        dilation=tuple(layer.dilation_rate),
        same=layer.padding == "same",
        groups=int(layer.groups),
    )
    return _activated(nodes, found, step)


def _convolved(
    nodes: Nodes,
    inputs: list[str],
    weights: tuple[np.ndarray, np.ndarray | None],
    *,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    same: bool,
    groups: int = 1,
) -> str:
    kernel, bias = weights
    size = kernel.shape[:2]
    pads: tuple[int, ...] = (0, 0, 0, 0)
    if same:
        # Sides are multiples of the strides: what is missing is the overhang of the kernel.
        reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
        pads = _around([max(r - s, 0) for r, s in zip(reach, strides, strict=True)])
    return nodes.add(
        "Conv",
        [*inputs, nodes.array(_channels_outside(kernel)), *_bias(nodes, bias)],
        kernel_shape=size,
        strides=strides,
        dilations=dilation,
        group=groups,
        pads=pads,
    )


def _transposed_convolution(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    layer = step.layer
    if layer.padding != "same" or any(
        k < s for k, s in zip(layer.kernel_size, layer.strides, strict=True)
    ):
        raise ValueError(f"{step.name}: only 'same' padding has a translation to ONNX")
    bias = values(layer.bias) if layer.use_bias else None
    found = _transposed(nodes, inputs, values(layer.kernel), bias, tuple(layer.strides))
    return _activated(nodes, found, step)


def _transposed(
    nodes: Nodes,
    inputs: list[str],
    kernel: np.ndarray,
    bias: np.ndarray | None,
    strides: tuple[int, ...],
) -> str:
    """A transposed 'same' convolution of a kernel `(rows, columns, out, in)`."""
    size = kernel.shape[:2]
    return nodes.add(
        "ConvTranspose",
        [*inputs, nodes.array(_channels_outside(kernel)), *_bias(nodes, bias)],
        kernel_shape=size,
        strides=strides,
        pads=_around([k - s for k, s in zip(size, strides, strict=True)]),
    )


def _max_pooling(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    size, strides = tuple(step.layer.pool_size), tuple(step.layer.strides)
    return nodes.add("MaxPool", inputs, kernel_shape=size, strides=strides)


def _upsampling(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    if step.layer.interpolation != "nearest":
        raise ValueError(f"{step.name}: only nearest upsampling has a translation to ONNX")
    scales = nodes.array(np.array([1, 1, *step.layer.size], np.float32))
    return nodes.add(
        "Resize",
        [*inputs, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _concatenation(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return nodes.add("Concat", inputs, axis=_channels_first(step.layer.axis))


def _sum(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return _folded(nodes, "Add", inputs)


def _product(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return _folded(nodes, "Mul", inputs)


def _normalisation(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    if _channels_first(step.layer.axis) != 1:
        raise ValueError(f"{step.name}: a norm of another axis has no translation to ONNX")
    return _scaled(nodes, inputs, *scale_and_shift(step.layer))


def _scaled(nodes: Nodes, inputs: list[str], scale: np.ndarray, shift: np.ndarray) -> str:
    """A factor and an offset for each channel."""
    scaled = nodes.add("Mul", [*inputs, nodes.array(_per_channel(scale))])
    return nodes.add("Add", [scaled, nodes.array(_per_channel(shift))])


def _activation(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return _activated(nodes, inputs[0], step)


def _relu(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    layer = step.layer
    limited = getattr(layer, "max_value", None) is not None
    if limited or getattr(layer, "negative_slope", None) or getattr(layer, "threshold", None):
        raise ValueError(f"{step.name}: a ReLU with options has no translation to ONNX")
    return nodes.add("Relu", inputs)


def _softmax(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return nodes.add("Softmax", inputs, axis=_channels_first(step.layer.axis))


def _depth_to_space(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return nodes.add("DepthToSpace", inputs, blocksize=step.layer.block, mode="DCR")


def _nothing(nodes: Nodes, step: Step, inputs: list[str]) -> str:
    return inputs[0]


_TRANSLATIONS: dict[str, Translation] = {
    "Conv2D": _grouped_convolution,
    "Conv2DTranspose": _transposed_convolution,
    "MaxPooling2D": _max_pooling,
    "UpSampling2D": _upsampling,
    "Concatenate": _concatenation,
    "Add": _sum,
    "Multiply": _product,
    "BatchNormalization": _normalisation,
    "Activation": _activation,
    "ReLU": _relu,
    "Softmax": _softmax,
    "Dropout": _nothing,
    "DepthToSpace": _depth_to_space,
}


def _activated(nodes: Nodes, name: str, step: Step) -> str:
    activation = activation_of(step.layer)
    if activation == "linear":
        return name
    if activation == "softmax":
        return nodes.add("Softmax", [name], axis=1)
    if activation not in _ACTIVATIONS:
        called = activation or "of its own"
        raise ValueError(f"{step.name}: activation {called} has no translation to ONNX")
    return nodes.add(_ACTIVATIONS[activation], [name])


def _folded(nodes: Nodes, kind: str, inputs: list[str]) -> str:
    """An operation of two, applied to any number."""
    found = inputs[0]
    for other in inputs[1:]:
        found = nodes.add(kind, [found, other])
    return found


def _bias(nodes: Nodes, bias: np.ndarray | None) -> list[str]:
    return [] if bias is None else [nodes.array(bias.astype(np.float32, copy=False))]


def _channels_outside(kernel: np.ndarray) -> np.ndarray:
    return kernel.astype(np.float32, copy=False).transpose(3, 2, 0, 1)


def _per_channel(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).reshape(1, -1, 1, 1)


def _around(total: list[int]) -> tuple[int, ...]:
    """Padding or cropping: first before, then after; the odd pixel after, as Keras has it."""
    before = [amount // 2 for amount in total]
    return (*before, *(amount - first for amount, first in zip(total, before, strict=True)))


def _channels_first(axis: int) -> int:
    """The axis where Keras has `(batch, height, width, channels)`."""
    return (0, 2, 3, 1)[axis % 4]
