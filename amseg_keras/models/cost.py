"""Cost of a network: multiplications for a frame (the paper's Table 2 has parameters)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import keras

from amseg_keras.models.ends import MULTIPLE

Shape = tuple[int | None, ...]


def macs(model: keras.Model, shape: tuple[int, int] = (256, 512)) -> int:
    """Count multiply-accumulates of all convolutions of a network for one frame.

    Each convolution of the network as the paper draws it is counted, whatever a backend makes of
    it: the depthwise and the pointwise one of a squeeze-expand block are two, though they are run
    as one. Batch norms, activations and the additions of biases are not counted, as is usual.

    Args:
        model: Any of `models.NETWORKS`, or another functional model of layers whose inner
            convolutions all work at the size of the layer's output.
        shape: Height and width of the frame in pixels; multiples of 16 for the networks.

    Returns:
        Operations for one frame; 1e9 of them are a GMAC.

    Raises:
        ValueError: `shape` cannot be pooled four times.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> round(macs(AMSegNet()) / 1e9, 3)
        22.909
    """
    return sum(
        _macs(layer, height * width)
        for layer, (_, height, width, *_) in _output_shapes(model, shape)
    )


def trainable_parameters(model: keras.Model) -> int:
    """Count the weights that training changes, as in the paper's Table 2.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> trainable_parameters(AMSegNet())
        17526064
    """
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _output_shapes(
    model: keras.Model, shape: tuple[int, int]
) -> Iterator[tuple[keras.layers.Layer, tuple[int, ...]]]:
    """Yield each layer of a functional model with the shape of its output for one frame."""
    # Networks for frames of any size know no sizes inside, so that they are worked out here.
    shapes: dict[int, Shape] = {id(model.input): (1, *shape, model.input.shape[-1])}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        given = keras.tree.map_structure(lambda tensor: shapes[id(tensor)], layer.input)
        if isinstance(given, list) and len({one[1:3] for one in given}) > 1:
            raise ValueError(
                f"shape is {shape}: it does not come back after pooling and upsampling; height and "
                f"width must be multiples of {MULTIPLE}"
            )
        made = tuple(layer.compute_output_shape(given))
        shapes[id(layer.output)] = made
        yield layer, made


def _macs(layer: keras.layers.Layer, pixels: int) -> int:
    """Count the multiplications of a layer and all layers inside it, for its output pixels."""
    # A kernel has as many weights as multiplications for a pixel of the output, depthwise or not;
    # for a transposed convolution, for a pixel of the input.
    total = 0
    for inner in layer._flatten_layers():
        if isinstance(inner, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            total += pixels * math.prod(inner.kernel.shape)
        elif isinstance(inner, keras.layers.Conv2DTranspose):
            total += pixels // math.prod(inner.strides) * math.prod(inner.kernel.shape)
    return total
