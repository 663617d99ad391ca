"""Channels laid out as pixels, against PyTorch's definition written as a loop."""

import keras
import numpy as np
import pytest
from random_networks import applied

from amseg_keras.layers import DepthToSpace


@pytest.mark.parametrize("block", [2, 4])
def test_each_cell_becomes_a_square_of_pixels(block):
    x = np.random.default_rng(0).random((2, 3, 5, block**2 * 6), np.float32)
    expected = np.zeros((2, 3 * block, 5 * block, 6), np.float32)
    for row in range(3 * block):
        for column in range(5 * block):
            first = 6 * (row % block * block + column % block)
            cell = x[:, row // block, column // block]
            expected[:, row, column] = cell[:, first : first + 6]
    layer = DepthToSpace(block)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


def test_frames_of_any_size_go_through_a_model_of_it():
    inputs = keras.Input((None, None, 12))
    model = keras.Model(inputs, DepthToSpace(2)(inputs))
    assert model.output_shape == (None, None, None, 3)
    assert applied(model, np.zeros((1, 4, 6, 12), np.float32)).shape == (1, 8, 12, 3)
