"""The nodes of an ONNX graph while it is being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
