"""The residual block of Res-U-Net."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class ResidualBlock(keras.layers.Layer):
    """Two 3x3 convolutions beside a 1x1 shortcut, added, then ReLU.

    Main path: convolution, batch norm, ReLU, convolution, batch norm; shortcut: 1x1 convolution,
    batch norm. One stage of the Res-U-Net that the paper compares with (Table 2).

    Args:
        width: channels of the output.
        dropout: fraction of the output dropped in training.

    Shapes:
        `(batch, height, width, any)` to `(batch, height, width, width)`.

    Example:
        >>> import numpy as np
        >>> tuple(ResidualBlock(8)(np.zeros((1, 16, 32, 1), "float32")).shape)
        (1, 16, 32, 8)
    """

    def __init__(self, width: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        policy = self.dtype_policy
        self.first = keras.layers.Conv2D(width, 3, padding="same", dtype=policy)
        self.first_norm = keras.layers.BatchNormalization(dtype=policy)
        self.second = keras.layers.Conv2D(width, 3, padding="same", dtype=policy)
        self.second_norm = keras.layers.BatchNormalization(dtype=policy)
        self.shortcut = keras.layers.Conv2D(width, 1, dtype=policy)
        self.shortcut_norm = keras.layers.BatchNormalization(dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden = self.compute_output_shape(input_shape)
        self.first.build(input_shape)
        self.first_norm.build(hidden)
        self.second.build(hidden)
        self.second_norm.build(hidden)
        self.shortcut.build(input_shape)
        self.shortcut_norm.build(hidden)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden = ops.relu(self.first_norm(self.first(inputs), training=training))
        hidden = self.second_norm(self.second(hidden), training=training)
        shortcut = self.shortcut_norm(self.shortcut(inputs), training=training)
        return self.dropout(ops.relu(hidden + shortcut), training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "dropout": self.dropout_rate}
