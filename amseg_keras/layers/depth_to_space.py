"""Channels to pixels: one cell's answers for all the pixels in it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class DepthToSpace(keras.layers.Layer):
    """Lay the channels of each cell out as a square of `block x block` pixels.

    With it a network that works at a quarter of the resolution answers for every pixel, without a
    convolution at full resolution.

    Args:
        block: side of the square.

    Shapes:
        `(batch, height, width, block^2 * channels)` to
        `(batch, block * height, block * width, channels)`; the channels of the upper left pixel
        come first, then the channels of the pixel right of it.

    Example:
        >>> import numpy as np
        >>> cell = np.array([[[[1, 2, 3, 4]]]], "float32")
        >>> np.asarray(DepthToSpace(2)(cell))[0, ..., 0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def call(self, inputs: Any) -> Any:
        height, width, depth = ops.shape(inputs)[1:]
        block, channels = self.block, depth // self.block**2
        cells = ops.reshape(inputs, (-1, height, width, block, block, channels))
        rows = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
        return ops.reshape(rows, (-1, block * height, block * width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, depth = input_shape
        assert depth is not None
        return (
            batch,
            None if height is None else self.block * height,
            None if width is None else self.block * width,
            depth // self.block**2,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block": self.block}
