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
from amseg_keras.rewrite.graph import Affine, Conv, Graph, Node, Step, UpConv, step, width


def inference_model(model: keras.Model, *, merge_branches: bool = True) -> keras.Model:
    """The same function as a trained network's, of plain Keras layers and with less to compute.

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
    original in float32 but for rounding.

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
    return write_model(_rewritten(read_graph(model, merge_branches)))


def label_model(model: keras.Model) -> keras.Model:
    """`inference_model` ending in class ids instead of probabilities, with no softmax.

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
    graph = _rewritten(read_graph(model, merge_branches=True))
    return ending_in_labels(graph, model.outputs[0].shape[-1])


def _rewritten(graph: Graph) -> Graph:
    return graph.changed(fold_norm).changed(convolve_before_upsampling)


def fold_norm(node: Node, alone: tuple[bool, ...]) -> Node:
    """A rule for `Graph.changed`: the convolution that a norm and the one before it are together.

    A norm after something else stays what it is, and so does one whose convolution another layer
    reads as well. It cannot move into what follows: a shift before zero padding is wrong at the
    borders.
    """
    match node:
        case Affine(inputs=(Conv() as conv,)) if alone[0]:
            bias = node.shift if conv.bias is None else conv.bias * node.scale + node.shift
            return replace(conv, name=node.name, kernel=conv.kernel * node.scale, bias=bias)
    return node


# Which of a kernel's three rows meet, in the output rows around them, the two copies that nearest
# upsampling makes of one row.
_ROWS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float64)


def upsampled_kernel(kernel: np.ndarray) -> np.ndarray:
    """The kernel of the transposed convolution that upsampling and a convolution together are.

    Nearest upsampling by two and then a 3x3 convolution padded as 'same' give what a 4x4 transposed
    convolution of stride 2, padded as 'same', gives with this kernel, at the borders too: outside
    of the frame both see zeros. It takes 4 multiplications a pixel where the convolution takes 9.

    Args:
        kernel: `(3, 3, in, out)`.

    Returns:
        `(4, 4, in, out)`, float64: sums of one, two or four of the weights.

    Example:
        >>> upsampled_kernel(np.ones((3, 3, 1, 1)))[..., 0, 0].tolist()
        [[1.0, 2.0, 2.0, 1.0], [2.0, 4.0, 4.0, 2.0], [2.0, 4.0, 4.0, 2.0], [1.0, 2.0, 2.0, 1.0]]
    """
    return np.asarray(np.einsum("ar,bc,rcio->abio", _ROWS, _ROWS, kernel))


def convolve_before_upsampling(node: Node, alone: tuple[bool, ...]) -> Node:
    """A rule for `Graph.changed`: a convolution of upsampled channels, done before the upsampling.

    Where they are concatenated with others, as in a decoder, each half is convolved for itself
    and the two are added. A 3x3 convolution becomes a transposed one, a 1x1 convolution changes
    places with the upsampling.
    """
    if not isinstance(node, Conv) or not _is_3x3_or_1x1(node):
        return node
    parts = _concatenated(node.inputs[0])
    widths = [known for known in map(width, parts) if known is not None]
    if len(widths) < len(parts) or not any(map(_is_doubling, parts)):
        return node
    kernels = np.split(node.kernel, np.cumsum(widths)[:-1], axis=2)
    halves = list(zip(parts, kernels, strict=True))
    others = [half for half in halves if not _is_doubling(half[0])]
    terms = [_at_full_resolution(node, others)] if others else []
    for part, kernel in halves:
        if _is_doubling(part):
            # the bias is added once
            convolution = replace(node, bias=None) if terms else node
            terms.append(_at_low_resolution(convolution, part, kernel))
    if len(terms) == 1:
        return replace(terms[0], name=node.name)
    return step(keras.layers.Add(), *terms, name=node.name, width=width(node))


def _at_full_resolution(node: Conv, halves: list[tuple[Node, np.ndarray]]) -> Node:
    parts, kernels = zip(*halves, strict=True)
    x = parts[0]
    if len(parts) > 1:
        total = sum(kernel.shape[2] for kernel in kernels)
        x = step(keras.layers.Concatenate(), *parts, name=f"{node.name}_rest", width=total)
    kernel = np.concatenate(kernels, axis=2)
    return replace(node, name=f"{node.name}_skip", inputs=(x,), kernel=kernel)


def _at_low_resolution(node: Conv, upsampling: Node, kernel: np.ndarray) -> Node:
    (low,) = upsampling.inputs
    name = f"{node.name}_upsampled"
    if len(kernel) == 3:
        return UpConv(name=name, inputs=(low,), kernel=upsampled_kernel(kernel), bias=node.bias)
    convolved = replace(node, name=f"{node.name}_low", inputs=(low,), kernel=kernel)
    return step(keras.layers.UpSampling2D(), convolved, name=name, width=width(node))


def _is_3x3_or_1x1(conv: Conv) -> bool:
    size = conv.kernel.shape[:2]
    plain = conv.strides == (1, 1) and conv.dilation == (1, 1)
    return plain and (size == (1, 1) or (size == (3, 3) and conv.padding == "same"))


def _concatenated(node: Node) -> tuple[Node, ...]:
    """The tensors that a node concatenates by their channels, or else the node itself."""
    match node:
        case Step(layer=keras.layers.Concatenate(axis=-1 | 3)):
            return node.inputs
        case _:
            return (node,)


def _is_doubling(node: Node) -> bool:
    match node:
        case Step(
            layer=keras.layers.UpSampling2D(
                size=(2, 2), interpolation="nearest", data_format="channels_last"
            )
        ):
            return True
        case _:
            return False


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
