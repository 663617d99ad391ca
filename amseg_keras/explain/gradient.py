"""Gradients and compiled functions on all three backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

ScalarFunction = Callable[[Any], Any]
"""Function from a tensor of the backend to a scalar tensor."""


def gradient(function: ScalarFunction, at: np.ndarray) -> np.ndarray:
    """Differentiate a scalar function of an array by each element of the array.

    Args:
        function: Function from a tensor to a scalar tensor, made of `keras.ops` and Keras layers.
            Everything else that it uses is constant.
        at: Array at which the gradient is taken, float32 of any shape.

    Returns:
        Derivative by each element, float32 of the shape of `at`.

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
        function: Function from tensors to a tensor or a list of tensors, made of `keras.ops` and
            Keras layers.

    Returns:
        Function of arrays or tensors that gives tensors of the backend.

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
