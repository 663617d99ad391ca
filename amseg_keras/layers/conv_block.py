"""The convolution block: one 3x3 convolution, batch norm, ReLU."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("amseg_keras")
class ConvBlock(keras.layers.Layer):
    """3x3 convolution, batch norm, ReLU, and optional dropout.

    The bottleneck and the decoder of AM-SegNet are made of these (paper, Figure 3); U-Net uses
    two in a row.

    Args:
        width: channels of the output.
        dropout: fraction of the output dropped in training.

    Shapes:
        `(batch, height, width, any)` to `(batch, height, width, width)`.

    Example:
        >>> import numpy as np
        >>> tuple(ConvBlock(24)(np.zeros((1, 32, 64, 1), "float32")).shape)
        (1, 32, 64, 24)
    """

    def __init__(self, width: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        self.conv = keras.layers.Conv2D(width, 3, padding="same", dtype=self.dtype_policy)
        self.norm = keras.layers.BatchNormalization(dtype=self.dtype_policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.conv.build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden = self.norm(self.conv(inputs), training=training)
        return self.dropout(keras.ops.relu(hidden), training=training)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "dropout": self.dropout_rate}
