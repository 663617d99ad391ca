"""Gradients by the backend."""

import keras
import numpy as np
from random_networks import randomise
from u_network import u_network

from amseg_keras.explain.gradient import gradient


def test_gradient_of_a_network_is_the_finite_difference():
    model = randomise(u_network())
    x = np.random.default_rng(0).random((1, 16, 16, 1), np.float32)

    def score(values):
        return keras.ops.sum(model(values)[..., 1] ** 2)

    found = gradient(score, x)
    assert found.shape == x.shape
    assert found.dtype == np.float32
    step = np.random.default_rng(1).normal(0, 3e-3, x.shape).astype(np.float32)
    above, below = (keras.ops.convert_to_numpy(score(values)) for values in (x + step, x - step))
    np.testing.assert_allclose(above - below, 2 * (found * step).sum(), rtol=0.05)


def test_what_a_value_does_not_depend_on_has_gradient_0():
    x = np.ones((2, 3), np.float32)
    found = gradient(lambda values: keras.ops.sum(values[0] * 5), x)
    np.testing.assert_array_equal(found, [[5, 5, 5], [0, 0, 0]])
