"""Networks with random weights, for tests that need no trained ones."""

import keras
import numpy as np


def applied(model, x):
    """The model's output as an array, without compiling it, which takes far longer on JAX."""
    return keras.ops.convert_to_numpy(model(x, training=False))


def randomise(model, seed=0):
    """Give every weight a random value, batch-norm statistics included, as after a training.

    The last norm of a network gets the statistics of its input, so that every class wins
    somewhere.
    """
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        for weight in getattr(layer, "_trainable_variables", []) + getattr(
            layer, "_non_trainable_variables", []
        ):
            if "seed" in weight.path:
                continue
            value = rng.normal(0, 0.3 / max(np.prod(weight.shape[:-1]), 1) ** 0.5, weight.shape)
            if weight.name in ("gamma", "moving_variance"):
                value = rng.uniform(0.5, 2, weight.shape)
            elif len(weight.shape) > 1:
                value *= 4
            weight.assign(value)
    names = {layer.name: layer for layer in model.layers}
    if isinstance(names.get("logits"), keras.layers.BatchNormalization):
        noise = rng.random((1, 64, 64, model.input_shape[-1]), np.float32)
        scores = applied(keras.Model(model.input, model.get_layer("scores").output), noise)
        last_norm = model.get_layer("logits")
        last_norm.gamma.assign(np.full(scores.shape[-1], 2.0))
        last_norm.beta.assign(np.zeros(scores.shape[-1]))
        last_norm.moving_mean.assign(scores.mean(axis=(0, 1, 2)))
        last_norm.moving_variance.assign(scores.var(axis=(0, 1, 2)))
    return model
