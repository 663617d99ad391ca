"""Write an ONNX file: the few messages of its format that a network needs, as protocol buffers.

The package `onnx` does the same, but it takes 100 MB and a third of a second to import. Field
numbers are those of onnx.proto3: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from amseg_keras.engines.nodes import Node, Nodes

INPUT = "frames"

Size = tuple[int | None, int | None]
"""Height and width of the frames, multiples of 16; `None` for any."""

_OPSET = 17
_IR_VERSION = 8  # of ONNX 1.12, which all readers of this opset know

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}
"""Numbers of the element types of a tensor."""

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
"""Wire types."""


def onnx_file(
    nodes: Nodes, outputs: list[str], size: Size = (None, None), classes: int | None = None
) -> bytes:
    """Write a network as ONNX; its input `frames` is float32 `(batch, height, width, channels)`.

    Args:
        nodes: from `translated`.
        outputs: names of what it gives: `"labels"`, `"probabilities"` or tensors inside.
        size: height and width of the frames; by default any.
        classes: channels of the probabilities, to write them into the file.

    Example:
        >>> nodes = Nodes()
        >>> nodes.add("Relu", ["frames"], output="probabilities")
        'probabilities'
        >>> onnx_file(nodes, ["probabilities"])[:15]
        b'\\x08\\x08\\x12\\x0bamseg-keras'
    """
    shape: list[str | int] = ["batch", size[0] or "height", size[1] or "width"]
    described = {
        "labels": _value("labels", "uint8", shape),
        "probabilities": _value("probabilities", "float32", [*shape, classes or "classes"]),
    }
    graph = [
        *(_bytes(1, _node(node)) for node in nodes.all),
        _text(2, "amsegnet"),
        *(_tensor(name, array) for name, array in nodes.arrays.items()),
        _bytes(11, _value(INPUT, "float32", [*shape, nodes.channels])),
        *(_bytes(12, described.get(name) or _value(name, "float32", None)) for name in outputs),
    ]
    return b"".join(
        [
            _number(1, _IR_VERSION),
            _text(2, "amseg-keras"),
            _head(7, sum(map(len, graph))),
            *graph,
            _bytes(8, _text(1, "") + _number(2, _OPSET)),
        ]
    )


def _node(node: Node) -> bytes:
    return b"".join(
        [
            *(_text(1, name) for name in node.inputs),
            _text(2, node.output),
            _text(3, node.output),
            _text(4, node.kind),
            *(_bytes(5, _attribute(name, value)) for name, value in node.options.items()),
        ]
    )


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    if isinstance(value, float):
        return _text(1, name) + _key(2, _FIXED32) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, Sequence):
        return _text(1, name) + b"".join(_number(8, int(one)) for one in value) + _number(20, 7)
    return _text(1, name) + _number(3, int(value)) + _number(20, 2)


def _tensor(name: str, array: np.ndarray) -> bytes:
    """The field of a constant; its bytes are copied once."""
    data = np.ascontiguousarray(array)
    head = b"".join(
        [
            *(_number(1, side) for side in array.shape),
            _number(2, _TYPES[data.dtype.name]),
            _text(8, name),
            _head(9, data.nbytes),
        ]
    )
    return b"".join([_head(5, len(head) + data.nbytes), head, data.data.cast("B")])


def _value(name: str, kind: str, shape: Iterable[str | int] | None) -> bytes:
    """A description of an input or an output."""
    tensor = _number(1, _TYPES[kind])
    if shape is not None:
        sides = [_text(2, side) if isinstance(side, str) else _number(1, side) for side in shape]
        tensor += _bytes(2, b"".join(_bytes(1, side) for side in sides))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _head(field, len(value)) + value


def _head(field: int, length: int) -> bytes:
    return _key(field, _BYTES) + _varint(length)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number as its complement
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
