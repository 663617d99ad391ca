"""Gradients and compiled functions; the one place here that asks for the backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

ScalarFunction = Callable[[Any], Any]
"""From a tensor of the backend to a scalar tensor, by `keras.ops` and layers."""


def gradient(function: ScalarFunction, at: np.ndarray) -> np.ndarray:
    """How a number that is computed from an array changes with each element of the array.

    Args:
        function: from a tensor to a scalar tensor that depends on it, made of `keras.ops` and
            Keras layers; anything else that it uses is taken as constant.
        at: where the gradient is wanted, float32 of any shape.

    Returns:
        The derivative for each element, float32 of the shape of `at`.

    Example:
        >>> gradient(lambda x: keras.ops.sum(x**2), np.array([1.0, -3.0], "float32"))
        array([ 2., -6.], dtype=float32)
    """
    found = _FUNCTIONS[keras.backend.backend()](function, np.asarray(at, np.float32))
    return np.asarray(found, np.float32)


def _by_tensorflow(function: ScalarFunction, at: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    x = tf.convert_to_tensor(at)
    # Without the weights of the network, which would keep every activation in memory.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = function(x)
    return np.asarray(tape.gradient(value, x).numpy())


def _by_jax(function: ScalarFunction, at: np.ndarray) -> np.ndarray:
    import jax

    return np.asarray(jax.grad(function)(keras.ops.convert_to_tensor(at)))


def _by_torch(function: ScalarFunction, at: np.ndarray) -> np.ndarray:
    import torch

    x = keras.ops.convert_to_tensor(at).detach().clone().requires_grad_()
    with torch.enable_grad():
        value = function(x)
    (found,) = torch.autograd.grad(value, x)
    return np.asarray(found.cpu().numpy())


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors, for inference.

    Args:
        function: from tensors to a tensor or a list of tensors, made of `keras.ops` and Keras
            layers.

    Returns:
        A function of arrays or tensors that gives tensors of the backend.

    Example:
        >>> double = compiled(lambda x: 2 * x)
        >>> keras.ops.convert_to_numpy(double(np.array([1.0, -3.0], "float32")))
        array([ 2., -6.], dtype=float32)
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        run = tf.function(function, reduce_retracing=True)
    elif backend == "jax":
        import jax

        run = jax.jit(function)
    else:
        import torch

        run = torch.no_grad()(function)

    def on_tensors(*arrays: Any) -> Any:
        return run(*map(keras.ops.convert_to_tensor, arrays))

    return on_tensors


_FUNCTIONS: dict[str, Callable[[ScalarFunction, np.ndarray], np.ndarray]] = {
    "tensorflow": _by_tensorflow,
    "jax": _by_jax,
    "torch": _by_torch,
}
