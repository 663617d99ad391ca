"""A network's end that gives class ids: no softmax, and no scores at more than its resolution."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from amseg_keras.layers import DepthToSpace
from amseg_keras.rewrite.graph import Conv, Graph, Node, Step
from amseg_keras.rewrite.write import write_model


def ending_in_labels(graph: Graph, classes: int) -> keras.Model:
    """The model of a graph that has one output, scores or probabilities of so many classes."""
    (end,) = keras.tree.flatten(graph.outputs)
    scores, block = _before_softmax(end), 1
    match scores:
        case Step(layer=DepthToSpace() as to_pixels, inputs=(Conv() as cells,)):
            scores, block = _class_by_class(cells, classes), to_pixels.block
    model = write_model(replace(graph, outputs=scores))
    return keras.Model(model.input, _labels(model.output, classes, block), name=graph.name)


def _before_softmax(node: Node) -> Node:
    """The scores that a softmax is given; without one, the node itself."""
    match node:
        case Step(layer=keras.layers.Softmax(axis=-1 | 3)):
            return node.inputs[0]
        case Step(layer=keras.layers.Activation(activation=keras.activations.softmax)):
            return node.inputs[0]
        case _:
            return node


def _class_by_class(cells: Conv, classes: int) -> Conv:
    """A convolution to `pixels * classes` channels with those of one class side by side."""
    order = np.arange(cells.kernel.shape[-1]).reshape(-1, classes).T.ravel()
    bias = None if cells.bias is None else cells.bias[order]
    return replace(cells, kernel=cells.kernel[..., order], bias=bias)


def _labels(scores: Any, classes: int, block: int) -> Any:
    """The first class with the highest score, uint8 `(batch, height, width)`."""
    # Comparing whole tensors takes far less time than an argmax over so few channels, and OpenVINO
    # does not read Keras' argmax from TensorFlow.
    by_class = keras.ops.split(scores, classes, axis=-1)
    highest = functools.reduce(keras.ops.maximum, by_class)
    ids = keras.ops.full_like(highest, classes - 1)
    for number in reversed(range(classes - 1)):
        ids = keras.ops.where(by_class[number] >= highest, float(number), ids)
    ids = keras.ops.cast(ids, "uint8")
    if block > 1:
        ids = DepthToSpace(block, dtype="uint8", name="labels")(ids)
    return keras.ops.squeeze(ids, axis=-1)
