"""Find the layers that Grad-CAM can explain, and the scores of the classes."""

from __future__ import annotations

from typing import Any

import keras

_PROBE = 64
"""Side in pixels of the frame that tells how coarse each layer is."""


def score_tensor(model: keras.Model) -> Any:
    """Return the scores of the classes before the softmax.

    The softmax couples the classes, and it is flat where the network is sure. Both hide what speaks
    for a class. A network without a softmax layer at its end gives its output.
    """
    last = model.layers[-1]
    return last.input if isinstance(last, keras.layers.Softmax) else model.outputs[0]


def layer_names(model: keras.Model) -> list[str]:
    """List the layers with an output `(batch, height, width, channels)`, first to last.

    The last one gives the scores of the classes.

    Args:
        model: Functional or sequential model from `(batch, height, width, channels)` to classes.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> names = layer_names(AMSegNet(base_filters=2))
        >>> names[0], names[-3:]
        ('encoder_1', ['decoder_4', 'scores', 'logits'])
    """
    return list(_tensors(model))


def default_layer(model: keras.Model) -> str:
    """Return the last layer that is coarser than the frame; without one, the class scores.

    In AM-SegNet this is `smooth_4`, in the U-Nets the last block of `decoder_3`. Both have half the
    resolution of the frame. Earlier layers describe the scene more than a class. Later layers add
    little to the grey levels and the label map.

    Args:
        model: Network, as in `layer_names`.

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
    """Return the output of a layer, a symbolic tensor `(batch, height, width, channels)`.

    Raises:
        ValueError: There is no such layer; the message lists all layers.
    """
    tensors = _tensors(model)
    if name not in tensors:
        raise ValueError(f"no layer {name!r}; there are {', '.join(tensors)}")
    return tensors[name]


def tensors_beside(model: keras.Model, tensor: Any) -> list[Any]:
    """List the tensors that, with the output of a layer, give the class scores.

    Skip connections carry these tensors past the layer. With them, nothing before the layer is
    computed a second time.

    Args:
        model: Network, as in `layer_names`.
        tensor: Output of the layer, from `layer_tensor`.
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
