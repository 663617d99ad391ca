"""The fire block of Squeeze-U-Net."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class FireBlock(keras.layers.Layer):
    """Squeeze by a 1x1 convolution, expand by a 1x1 beside a 3x3 convolution, concatenate.

    Every convolution is followed by batch norm and ReLU. One encoder stage of the Squeeze-U-Net
    that the paper compares with (Table 2).

    Args:
        width: channels of the squeeze and of each branch; the output has twice as many.
        dropout: fraction of the output dropped in training.

    Shapes:
        `(batch, height, width, any)` to `(batch, height, width, 2 * width)`.

    Example:
        >>> import numpy as np
        >>> tuple(FireBlock(8)(np.zeros((1, 16, 32, 1), "float32")).shape)
        (1, 16, 32, 16)
    """

    def __init__(self, width: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        policy = self.dtype_policy
        self.squeeze = keras.layers.Conv2D(width, 1, dtype=policy)
        self.squeeze_norm = keras.layers.BatchNormalization(dtype=policy)
        self.left = keras.layers.Conv2D(width, 1, dtype=policy)
        self.left_norm = keras.layers.BatchNormalization(dtype=policy)
        self.right = keras.layers.Conv2D(width, 3, padding="same", dtype=policy)
        self.right_norm = keras.layers.BatchNormalization(dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        squeezed = (*input_shape[:-1], self.width)
        self.squeeze.build(input_shape)
        for layer in (self.squeeze_norm, self.left, self.left_norm, self.right, self.right_norm):
            layer.build(squeezed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        squeezed = ops.relu(self.squeeze_norm(self.squeeze(inputs), training=training))
        left = self.left_norm(self.left(squeezed), training=training)
        right = self.right_norm(self.right(squeezed), training=training)
        expanded = ops.relu(ops.concatenate([left, right], axis=-1))
        return self.dropout(expanded, training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], 2 * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "dropout": self.dropout_rate}
