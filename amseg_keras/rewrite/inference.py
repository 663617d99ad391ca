"""Equivalent networks for inference: less to compute, ending in probabilities or in labels."""

from __future__ import annotations

import keras

from amseg_keras.classes import IGNORE
from amseg_keras.rewrite.fold import fold_norm
from amseg_keras.rewrite.graph import Graph
from amseg_keras.rewrite.labels import ending_in_labels
from amseg_keras.rewrite.read import read_graph
from amseg_keras.rewrite.upsampling import convolve_before_upsampling
from amseg_keras.rewrite.write import write_model


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
