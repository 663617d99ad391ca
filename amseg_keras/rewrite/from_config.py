"""Read the graph of a network from its Keras configuration and weights, without Keras.

Only functional networks of the layers that this package builds its networks of are read so, and
only with the options that it uses. Whatever else Keras can do is left to Keras.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from amseg_keras.rewrite.blocks import BLOCKS, conv, norm, step
from amseg_keras.rewrite.graph import Graph, Node, Plain, Start

Shape = tuple[int, ...]
Options = dict[str, Any]

DEEPEST = 16
"""Pixels of the frame, in a row, that one value inside of a network may stand for."""


class NotPlainError(ValueError):
    """A network that only Keras can read; the message names the layer."""


@dataclass
class _Tensor:
    """Output of a layer: its channels, and its pixels in a row for each pixel of the frame."""

    width: int
    scale: Fraction


@dataclass
class _Layer:
    """One layer of the configuration.

    Attributes:
        kind: Name of its class.
        name: Name of the layer.
        options: Arguments of the layer.
        inputs: Names of the layers that it takes.
        parts: Layers with weights inside, by their attribute; of a plain layer itself, by "".
    """

    kind: str
    name: str
    options: Options
    inputs: tuple[str, ...]
    parts: dict[str, Plain] = field(default_factory=dict)


class PlainNetwork:
    """A network as its configuration describes it, its weights not read yet.

    Args:
        config: Content of `config.json`.

    Attributes:
        shapes: Shape of each weight, by its path in a `.weights.h5` file.
        channels: Input channels.
        classes: Output channels.
        width: Channels of the widest tensor, for each pixel of the frame.

    Raises:
        NotPlainError: Only Keras can read it.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        try:
            self._read(config)
        except NotPlainError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise NotPlainError(f"its configuration is not understood ({error!r})") from error

    def _read(self, config: Mapping[str, Any]) -> None:
        _want(config["class_name"] == "Functional", "the network is not a functional one")
        described = config["config"]
        self._name = str(described["name"])
        self.layers = [_layer(one) for one in described["layers"]]
        self.shapes: dict[str, Shape] = {}
        tensors: dict[str, _Tensor] = {}
        for layer, path in zip(self.layers, _paths(self.layers), strict=True):
            given = [tensors[name] for name in layer.inputs]
            _want(layer.name not in tensors, f"{layer.name}: there are two of this name")
            tensors[layer.name] = _KINDS[layer.kind](layer, given)
            for part, plain in layer.parts.items():
                where = f"{path}/{part}/vars" if part else f"{path}/vars"
                for number, shape in enumerate(plain.shapes.values()):
                    self.shapes[f"{where}/{number}"] = shape
        (self._start,) = (layer.name for layer in self.layers if layer.kind == "InputLayer")
        self._end = _only(described["output_layers"])
        _want(_only(described["input_layers"]) == self._start, "it has another input")
        _want(tensors[self._end].scale == 1, "labels have another size than frames")
        self.channels, self.classes = tensors[self._start].width, tensors[self._end].width
        self.width = max(float(one.width * one.scale**2) for one in tensors.values())

    def graph(self, weights: Mapping[str, np.ndarray]) -> Graph:
        """Make the graph of the network.

        Args:
            weights: Values of each weight, by the paths of `shapes`.
        """
        nodes: dict[str, Node] = {}
        for layer, path in zip(self.layers, _paths(self.layers), strict=True):
            for part, plain in layer.parts.items():
                where = f"{path}/{part}/vars" if part else f"{path}/vars"
                for number, name in enumerate(plain.shapes):
                    setattr(plain, name, weights[f"{where}/{number}"])
            inputs = [nodes[name] for name in layer.inputs]
            nodes[layer.name] = self._node(layer, inputs)
        return Graph(self._name, nodes[self._start], nodes[self._end])

    def _node(self, layer: _Layer, inputs: list[Node]) -> Node:
        if layer.kind == "InputLayer":
            return Start(name=layer.name, shape=(None, None, None, self.channels))
        if layer.kind == "Conv2D":
            return conv(inputs[0], layer.parts[""], layer.name)
        if layer.kind == "BatchNormalization":
            return norm(inputs[0], layer.parts[""], layer.name)
        if layer.kind in BLOCKS:
            block = Plain(kind=layer.kind, name=layer.name, width=layer.options["width"])
            for part, plain in layer.parts.items():
                setattr(block, part, plain)
            return BLOCKS[layer.kind](block, True, *inputs)
        if layer.kind == "Dropout":
            return inputs[0]
        plain = Plain(kind=layer.kind, **{key: layer.options[key] for key in _KEPT[layer.kind]})
        return step(plain, *inputs, name=layer.name, width=layer.options["made"].width)


def _want(holds: bool, why: str) -> None:
    if not holds:
        raise NotPlainError(why)


def _only(ends: Any) -> str:
    """Return the one layer at an end of the network: `[name, 0, 0]`, or a list of one such."""
    if ends and isinstance(ends[0], list):
        (ends,) = ends
    name, *numbers = ends
    _want(numbers == [0, 0], "the network has several inputs or outputs")
    return str(name)


def _layer(described: Mapping[str, Any]) -> _Layer:
    kind, options = described["class_name"], dict(described["config"])
    name = str(options["name"])
    _want(kind in _KINDS, f"{name}: a layer of class {kind}")
    calls = described.get("inbound_nodes", [])
    if kind == "InputLayer":
        _want(not calls, f"{name}: an input that takes something")
        return _Layer(kind, name, options, ())
    _want(len(calls) == 1, f"{name}: is called more than once")
    (call,) = calls
    _want(len(call["args"]) == 1, f"{name}: is called with several arguments")
    _want(
        all(value is None or value is False for value in call.get("kwargs", {}).values()),
        f"{name}: is called with options",
    )
    (argument,) = call["args"]
    given = argument if isinstance(argument, list) else [argument]
    return _Layer(kind, name, options, tuple(_taken(one, name) for one in given))


def _taken(tensor: Mapping[str, Any], name: str) -> str:
    _want(tensor.get("class_name") == "__keras_tensor__", f"{name}: takes a constant")
    layer, *numbers = tensor["config"]["keras_history"]
    _want(numbers == [0, 0], f"{name}: takes one of several outputs")
    return str(layer)


def _paths(layers: list[_Layer]) -> Iterator[str]:
    """Return where Keras puts the weights of each layer: by its class, with a number."""
    seen: Counter[str] = Counter()
    for layer in layers:
        snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", layer.kind)
        snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
        number = seen[snake]
        seen[snake] += 1
        yield f"layers/{snake}_{number}" if number else f"layers/{snake}"


def _size(value: Any, name: str) -> int:
    _want(isinstance(value, int) and not isinstance(value, bool) and value > 0, f"{name}: no size")
    return int(value)


def _pair(value: Any, name: str) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return _size(first, name), _size(second, name)


def _convolution(
    width_in: int, width_out: int, size: tuple[int, int], activation: str = "linear"
) -> Plain:
    """Make a convolution of the blocks; `shapes` are in the order in which Keras stores them."""
    return Plain(
        kind="Conv2D",
        shapes={"kernel": (*size, width_in, width_out), "bias": (width_out,)},
        use_bias=True,
        activation=activation,
        strides=(1, 1),
        padding="same",
        dilation_rate=(1, 1),
    )


def _norm(width: int, epsilon: float = 1e-3, scale: bool = True, center: bool = True) -> Plain:
    names = ("gamma",) * scale + ("beta",) * center + ("moving_mean", "moving_variance")
    return Plain(
        kind="BatchNormalization",
        shapes=dict.fromkeys(names, (width,)),
        epsilon=epsilon,
        scale=scale,
        center=center,
        axis=-1,
    )


def _input(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    batch, height, width, channels = layer.options["batch_shape"]
    _want(batch is None and height is None and width is None, "frames have one size only")
    return _Tensor(_size(channels, layer.name), Fraction(1))


def _conv_2d(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), options, name = given, layer.options, layer.name
    size, strides = _pair(options["kernel_size"], name), _pair(options["strides"], name)
    dilation = _pair(options["dilation_rate"], name)
    width, activation = _size(options["filters"], name), options["activation"]
    _want(options.get("groups", 1) == 1, f"{name}: a convolution in groups")
    _want(options.get("data_format") == "channels_last", f"{name}: channels are not last")
    _want(activation in ("linear", "relu", "sigmoid", "softmax"), f"{name}: {activation}")
    _want(options["padding"] == "same" or size == (1, 1), f"{name}: is not padded")
    _want(strides[0] == strides[1] and (strides == (1, 1) or dilation == (1, 1)), name)
    made = _convolution(x.width, width, size, activation)
    made.strides, made.dilation_rate, made.padding = strides, dilation, options["padding"]
    made.use_bias = bool(options["use_bias"])
    if not made.use_bias:
        del made.shapes["bias"]
    layer.parts[""] = made
    return _Tensor(width, _coarser(x.scale, strides[0], name))


def _batch_norm(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), options = given, layer.options
    _want(options["axis"] in (-1, 3), f"{layer.name}: a norm of another axis")
    epsilon = float(options["epsilon"])
    layer.parts[""] = _norm(x.width, epsilon, bool(options["scale"]), bool(options["center"]))
    return x


def _conv_block(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), width = given, _size(layer.options["width"], layer.name)
    layer.parts = {"conv": _convolution(x.width, width, (3, 3)), "norm": _norm(width)}
    return _Tensor(width, x.scale)


def _residual_block(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), width = given, _size(layer.options["width"], layer.name)
    layer.parts = {
        "first": _convolution(x.width, width, (3, 3)),
        "first_norm": _norm(width),
        "second": _convolution(width, width, (3, 3)),
        "second_norm": _norm(width),
        "shortcut": _convolution(x.width, width, (1, 1)),
        "shortcut_norm": _norm(width),
    }
    return _Tensor(width, x.scale)


def _attention_gate(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x, gating), width = given, _size(layer.options["width"], layer.name)
    _want(x.scale == gating.scale, f"{layer.name}: takes tensors of two sizes")
    layer.parts = {
        "phi": _convolution(gating.width, width, (1, 1)),
        "theta": _convolution(x.width, width, (1, 1)),
        "psi": _convolution(width, 1, (1, 1), "sigmoid"),
        "norm": _norm(x.width),
    }
    return x


def _squeeze_expand(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), n = given, _size(layer.options["width"], layer.name)
    depthwise = _convolution(n, 2, (3, 3))
    depthwise.shapes["bias"] = (2 * n,)
    layer.parts = {
        "squeeze": _convolution(x.width, n, (1, 1), "relu"),
        "residual": _convolution(n, n, (1, 1)),
        "residual_norm": _norm(n),
        "depthwise": depthwise,
        "pointwise": _convolution(2 * n, 2 * n, (1, 1)),
        "separable_norm": _norm(2 * n),
        "expand": _convolution(n, n, (3, 3)),
        "expand_norm": _norm(n),
    }
    return _Tensor(4 * n, x.scale)


def _fire(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), n = given, _size(layer.options["width"], layer.name)
    layer.parts = {
        "squeeze": _convolution(x.width, n, (1, 1)),
        "squeeze_norm": _norm(n),
        "left": _convolution(n, n, (1, 1)),
        "left_norm": _norm(n),
        "right": _convolution(n, n, (3, 3)),
        "right_norm": _norm(n),
    }
    return _Tensor(2 * n, x.scale)


def _max_pooling(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), options, name = given, layer.options, layer.name
    size, strides = _pair(options["pool_size"], name), _pair(options["strides"], name)
    _want(size == strides and size[0] == size[1], f"{name}: pools overlap")
    _want(options.get("data_format") == "channels_last", f"{name}: channels are not last")
    options.update(pool_size=size, strides=strides)
    return _made(layer, x.width, _coarser(x.scale, size[0], name))


def _upsampling(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), options, name = given, layer.options, layer.name
    size = _pair(options["size"], name)
    _want(size[0] == size[1], f"{name}: is not square")
    _want(options["interpolation"] == "nearest", f"{name}: interpolates")
    _want(options.get("data_format") == "channels_last", f"{name}: channels are not last")
    options.update(size=size)
    return _made(layer, x.width, x.scale * size[0])


def _concatenation(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    _want(layer.options["axis"] in (-1, 3), f"{layer.name}: joins another axis")
    _want(len({x.scale for x in given}) == 1, f"{layer.name}: takes tensors of two sizes")
    return _made(layer, sum(x.width for x in given), given[0].scale)


def _elementwise(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    same = len({(x.width, x.scale) for x in given}) == 1
    _want(same and len(given) > 1, f"{layer.name}: takes tensors of two sizes")
    return _made(layer, given[0].width, given[0].scale)


def _activation(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,) = given
    known = layer.options["activation"] in ("linear", "relu", "sigmoid", "softmax")
    _want(known, f"{layer.name}: an activation of its own")
    return _made(layer, x.width, x.scale)


def _relu(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), options = given, layer.options
    plain = options.get("max_value") is None
    plain = plain and not options.get("negative_slope") and not options.get("threshold")
    _want(plain, f"{layer.name}: a ReLU with options")
    return _made(layer, x.width, x.scale)


def _softmax(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,) = given
    _want(layer.options["axis"] in (-1, 3), f"{layer.name}: a softmax of another axis")
    return _made(layer, x.width, x.scale)


def _dropout(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,) = given
    return x


def _depth_to_space(layer: _Layer, given: list[_Tensor]) -> _Tensor:
    (x,), block = given, _size(layer.options["block"], layer.name)
    _want(x.width % block**2 == 0, f"{layer.name}: channels do not make whole cells")
    return _made(layer, x.width // block**2, x.scale * block)


def _made(layer: _Layer, width: int, scale: Fraction) -> _Tensor:
    layer.options["made"] = made = _Tensor(width, scale)
    return made


def _coarser(scale: Fraction, factor: int, name: str) -> Fraction:
    _want((scale / factor).denominator <= DEEPEST, f"{name}: is deeper than frames are padded for")
    return scale / factor


_KINDS: Mapping[str, Callable[[_Layer, list[_Tensor]], _Tensor]] = {
    "Activation": _activation,
    "Add": _elementwise,
    "AttentionGate": _attention_gate,
    "BatchNormalization": _batch_norm,
    "Concatenate": _concatenation,
    "Conv2D": _conv_2d,
    "ConvBlock": _conv_block,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "FireBlock": _fire,
    "InputLayer": _input,
    "MaxPooling2D": _max_pooling,
    "Multiply": _elementwise,
    "ReLU": _relu,
    "ResidualBlock": _residual_block,
    "Softmax": _softmax,
    "SqueezeExpand": _squeeze_expand,
    "UpSampling2D": _upsampling,
}

_KEPT: Mapping[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "Concatenate": ("axis",),
    "DepthToSpace": ("block",),
    "MaxPooling2D": ("pool_size", "strides"),
    "Multiply": (),
    "ReLU": (),
    "Softmax": ("axis",),
    "UpSampling2D": ("size", "interpolation", "data_format"),
}
"""Options of a step that its translation asks for."""
