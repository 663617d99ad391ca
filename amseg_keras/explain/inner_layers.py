"""The layers of a network that Grad-CAM can look at, and the score that it explains."""

from __future__ import annotations

from typing import Any

import keras

_PROBE = 64
"""Side of the frame, in pixels, on which it is found how coarse each layer is."""


def score_tensor(model: keras.Model) -> Any:
    """What the network gives for each class before the softmax.

    The softmax couples the classes and is flat where the network is sure, which hides what speaks
    for a class. Where no softmax layer ends the network, its output itself.
    """
    last = model.layers[-1]
    return last.input if isinstance(last, keras.layers.Softmax) else model.outputs[0]


def layer_names(model: keras.Model) -> list[str]:
    """Names of the layers from the first to the class scores, in the order of the computation.

    Those with an output `(batch, height, width, channels)`.

    Args:
        model: a functional or sequential model from `(batch, height, width, channels)` to classes.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> names = layer_names(AMSegNet(base_filters=2))
        >>> names[0], names[-3:]
        ('encoder_1', ['decoder_4', 'scores', 'logits'])
    """
    return list(_tensors(model))


def default_layer(model: keras.Model) -> str:
    """The last layer that is coarser than the frame; where there is none, the class scores.

    In AM-SegNet `smooth_4`, in the U-Nets the last block of `decoder_3`: at half the resolution of
    the frame. Earlier layers tell of the scene rather than of a class, later ones little more than
    the grey levels and the label map.

    Args:
        model: as for `layer_names`.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> default_layer(AMSegNet(base_filters=2))
        'smooth_4'
    """
    tensors = _tensors(model)
    probe = keras.KerasTensor((1, _PROBE, _PROBE, model.input_shape[-1]))
    shapes = keras.Function(model.inputs, list(tensors.values())).compute_output_spec([probe])
    coarser = [name for name, found in zip(tensors, shapes, strict=True) if found.shape[1] < _PROBE]
    return coarser[-1] if coarser else list(tensors)[-1]


def layer_tensor(model: keras.Model, name: str) -> Any:
    """Output of a layer, a symbolic tensor `(batch, height, width, channels)`.

    Raises:
        ValueError: there is no such layer; the message lists those that there are.
    """
    tensors = _tensors(model)
    if name not in tensors:
        raise ValueError(f"no layer {name!r}; there are {', '.join(tensors)}")
    return tensors[name]


def tensors_beside(model: keras.Model, tensor: Any) -> list[Any]:
    """Tensors that, with a layer's output, are enough to compute the class scores.

    They are what skip connections carry past the layer: known once the frame went through the
    network, they save a second way through all that lies before the layer.

    Args:
        model: as for `layer_names`.
        tensor: output of the layer, from `layer_tensor`.
    """
    behind, beside = {id(tensor)}, {}
    for layer in keras.Function(model.inputs, score_tensor(model)).operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inputs = keras.tree.flatten(layer.input)
        if any(id(one) in behind for one in inputs):
            behind.update(id(one) for one in keras.tree.flatten(layer.output))
            beside.update({id(one): one for one in inputs})
    return [one for key, one in beside.items() if key not in behind]


def _tensors(model: keras.Model) -> dict[str, Any]:
    tensors = {}
    for layer in keras.Function(model.inputs, score_tensor(model)).operations:
        is_image = isinstance(layer.output, keras.KerasTensor) and len(layer.output.shape) == 4
        if is_image and not isinstance(layer, keras.layers.InputLayer):
            tensors[layer.name] = layer.output
    return tensors
