"""The same network in another numerical precision, with nothing frozen."""

from __future__ import annotations

from typing import Any

import keras

_ALWAYS_FLOAT32 = "probabilities"


def in_precision(model: keras.Model, policy: str = "float32") -> keras.Model:
    """Copy a network with its weights to another Keras dtype policy.

    Networks are used in the precision of who uses them, not of who trained them, and on one
    device; which layers were frozen in training is forgotten.

    Args:
        model: Any of `models.NETWORKS`.
        policy: Such as ``"float32"`` or ``"mixed_bfloat16"``; the softmax is always float32.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> small = in_precision(AMSegNet(base_filters=2), "mixed_bfloat16")
        >>> small.get_layer("scores").compute_dtype, small.get_layer("probabilities").compute_dtype
        ('bfloat16', 'float32')
    """
    made = from_config(model.get_config(), policy)
    made.set_weights(model.get_weights())
    return made


def from_config(config: dict[str, Any], policy: str) -> keras.Model:
    """Build a network with random weights from the configuration of a functional model."""
    layers = [
        layer if layer["config"].get("name") == _ALWAYS_FLOAT32 else _changed(layer, policy)
        for layer in config["layers"]
    ]
    return keras.Model.from_config({**config, "layers": layers, "trainable": True})


def _changed(config: Any, policy: str) -> Any:
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": policy}}
        return {
            key: True if key == "trainable" else _changed(value, policy)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(_changed(item, policy) for item in config)
    return config
