"""Upsampling and a convolution as one transposed convolution, against SciPy in float64."""

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from amseg_keras.rewrite.rules import upsampled_kernel


def upsampled_and_convolved(x, kernel):
    """Each pixel twice in both directions, then a 3x3 convolution with zeros around."""
    doubled = x.repeat(2, axis=0).repeat(2, axis=1)
    return summed(doubled, kernel, lambda a, b: signal.correlate2d(a, b, mode="same"))


def transposed_convolution(x, kernel):
    """Every pixel lays its 4x4 kernel down at twice its place; the outermost ring is cut off."""
    spread = np.zeros((2 * x.shape[0] - 1, 2 * x.shape[1] - 1, x.shape[2]))
    spread[::2, ::2] = x
    return summed(spread, kernel, signal.convolve2d)[1:-1, 1:-1]


def summed(x, kernel, convolve):
    return np.stack(
        [
            sum(convolve(x[..., i], kernel[..., i, o]) for i in range(kernel.shape[2]))
            for o in range(kernel.shape[3])
        ],
        axis=-1,
    )


@settings(deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_transposed_convolution_is_an_upsampling_and_a_convolution(height, width, channels, seed):
    rng = np.random.default_rng(seed)
    x, kernel = rng.normal(size=(height, width, channels[0])), rng.normal(size=(3, 3, *channels))
    np.testing.assert_allclose(
        transposed_convolution(x, upsampled_kernel(kernel)),
        upsampled_and_convolved(x, kernel),
        rtol=0,
        atol=1e-13,
    )


def test_the_transposed_convolution_is_that_of_keras():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(5, 3, 2)), rng.normal(size=(4, 4, 2, 3))
    layer = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", use_bias=False)
    layer.build((None, 5, 3, 2))
    layer.set_weights([kernel.swapaxes(2, 3)])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0],
        transposed_convolution(x, kernel),
        atol=1e-5,
    )
