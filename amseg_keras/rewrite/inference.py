"""Equivalent networks for inference: less to compute, ending in probabilities or in labels."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.layers import DepthToSpace
from amseg_keras.rewrite.convert import read_graph, write_model
from amseg_keras.rewrite.graph import Conv, Graph, Node, Step, activation_of, items, kind_of
from amseg_keras.rewrite.rules import rewritten


def inference_model(model: keras.Model, *, merge_branches: bool = True) -> keras.Model:
    """Build the same function of plain Keras layers, with less to compute.

    The package's own blocks are taken apart into Keras' convolutions, additions and activations
    (`DepthToSpace` stays), dropout is left out, and:

    - batch norms are folded into the convolutions before them; one after anything else, such as
      that of the attention gate, stays as a `BatchNormalization`;
    - the branches of a squeeze-expand block or of a fire block become one 3x3 convolution;
    - a 3x3 convolution of channels that were upsampled by two, alone or concatenated with others,
      becomes a transposed convolution of the channels before, beside a convolution of the others;
      a 1x1 convolution changes places with the upsampling.

    A layer that took a block's place keeps its name where it gives the same tensor: `logits`, or
    `bottleneck_3`. Anything not named here, another model's own layer for instance, is copied with
    its weights. All arithmetic on weights is done in float64 and all convolutions are in float32,
    whatever the precision of the original, which is not changed. Probabilities are those of the
    original in float32, except for rounding.

    Args:
        model: a functional model, as those of `amseg_keras.models`.
        merge_branches: one convolution for the branches of a block, which multiplies more but is
            one operation instead of several.

    Returns:
        A functional model with the inputs and outputs of the original, not trainable.

    Raises:
        ValueError: the model is not functional.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> from amseg_keras.models.cost import macs
        >>> model = AMSegNet()
        >>> plain = inference_model(model, merge_branches=False)
        >>> round(macs(model) / 1e9, 2), round(macs(plain) / 1e9, 2)
        (22.91, 19.13)
    """
    return write_model(rewritten(read_graph(model, merge_branches)))


def label_model(model: keras.Model) -> keras.Model:
    """Build `inference_model` with class ids instead of probabilities, without softmax.

    The ids are found by comparing the scores of the classes. A network that ends in
    `DepthToSpace` has them found for each cell, before the pixels are laid out: there are no
    scores at full resolution.

    Args:
        model: a functional model with one output, scores or probabilities of at most 255 classes;
            one from `inference_model` too.

    Returns:
        A functional model from the inputs of the original to uint8 `(batch, height, width)`: the
        number of the largest probability, the first of equal ones.

    Raises:
        ValueError: the model is not functional, has several outputs, or more classes.

    Example:
        >>> import numpy as np
        >>> from amseg_keras.models import AMSegNet
        >>> labels = label_model(AMSegNet(base_filters=2))(np.zeros((1, 32, 48, 1)))
        >>> tuple(labels.shape), keras.backend.standardize_dtype(labels.dtype)
        ((1, 32, 48), 'uint8')
    """
    if len(model.outputs) != 1 or not 0 < (model.outputs[0].shape[-1] or 0) <= IGNORE:
        shapes = [tuple(output.shape) for output in model.outputs]
        raise ValueError(
            f"{model.name} gives {shapes}; labels can be had of one tensor of at most {IGNORE} "
            "classes"
        )
    graph = rewritten(read_graph(model, merge_branches=True))
    return ending_in_labels(graph, model.outputs[0].shape[-1])


def ending_in_labels(graph: Graph, classes: int) -> keras.Model:
    """Build the model of a graph with one output: scores or probabilities of the classes."""
    (end,) = items(graph.outputs)
    scores, block = _before_softmax(end), 1
    match scores:
        case Step(layer=to_pixels, inputs=(Conv() as cells,)) if (
            kind_of(to_pixels) == "DepthToSpace"
        ):
            scores, block = _class_by_class(cells, classes), to_pixels.block
    model = write_model(replace(graph, outputs=scores))
    return keras.Model(model.input, _labels(model.output, classes, block), name=graph.name)


def _before_softmax(node: Node) -> Node:
    """Return the scores before a softmax; without a softmax, the node itself."""
    if not isinstance(node, Step):
        return node
    kind, layer = kind_of(node.layer), node.layer
    is_softmax = (kind == "Softmax" and layer.axis in (-1, 3)) or (
        kind == "Activation" and activation_of(layer) == "softmax"
    )
    return node.inputs[0] if is_softmax else node


def _class_by_class(cells: Conv, classes: int) -> Conv:
    """Make a convolution to `pixels * classes` channels, ordered by class."""
    order = np.arange(cells.kernel.shape[-1]).reshape(-1, classes).T.ravel()
    bias = None if cells.bias is None else cells.bias[order]
    return replace(cells, kernel=cells.kernel[..., order], bias=bias)


def _labels(scores: Any, classes: int, block: int) -> Any:
    """Return the first class with the highest score, uint8 `(batch, height, width)`."""
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
