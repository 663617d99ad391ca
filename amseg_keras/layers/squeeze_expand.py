"""The squeeze-expand block of AM-SegNet, which the paper calls the lightweight block."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class SqueezeExpand(keras.layers.Layer):
    """Squeeze by a 1x1 convolution, expand by three parallel branches, concatenate.

    The paper's lightweight convolution block (section 2.4, Figure 3). From the squeezed channels,
    each branch followed by batch norm and ReLU:

    1. residual: 1x1 convolution, `width` channels;
    2. separable: 3x3 depthwise convolution of depth multiplier 2, then a 1x1 (pointwise)
       convolution, `2 * width` channels, with nothing between the two;
    3. expand: 3x3 convolution, `width` channels.

    Args:
        width: channels after the squeeze; the output has four times as many.
        dropout: fraction of the output dropped in training.

    Shapes:
        `(batch, height, width, any)` to `(batch, height, width, 4 * width)`.

    Example:
        >>> import numpy as np
        >>> tuple(SqueezeExpand(12)(np.zeros((1, 32, 64, 1), "float32")).shape)
        (1, 32, 64, 48)
    """

    def __init__(self, width: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        policy = self.dtype_policy
        self.squeeze = keras.layers.Conv2D(width, 1, activation="relu", dtype=policy)
        self.residual = keras.layers.Conv2D(width, 1, dtype=policy)
        self.residual_norm = keras.layers.BatchNormalization(dtype=policy)
        self.depthwise = keras.layers.DepthwiseConv2D(
            3, padding="same", depth_multiplier=2, dtype=policy
        )
        self.pointwise = keras.layers.Conv2D(2 * width, 1, dtype=policy)
        self.separable_norm = keras.layers.BatchNormalization(dtype=policy)
        self.expand = keras.layers.Conv2D(width, 3, padding="same", dtype=policy)
        self.expand_norm = keras.layers.BatchNormalization(dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        squeezed = (*input_shape[:-1], self.width)
        doubled = (*input_shape[:-1], 2 * self.width)
        self.squeeze.build(input_shape)
        self.residual.build(squeezed)
        self.residual_norm.build(squeezed)
        self.depthwise.build(squeezed)
        self.pointwise.build(doubled)
        self.separable_norm.build(doubled)
        self.expand.build(squeezed)
        self.expand_norm.build(squeezed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        squeezed = self.squeeze(inputs)
        branches = [
            self.residual_norm(self.residual(squeezed), training=training),
            self.separable_norm(self._separable(squeezed), training=training),
            self.expand_norm(self.expand(squeezed), training=training),
        ]
        return self.dropout(ops.relu(ops.concatenate(branches, axis=-1)), training=training)

    def separable_kernel(self) -> tuple[Any, Any]:
        """Kernel `(3, 3, width, 2 * width)` and bias `(2 * width,)` of the one dense convolution
        that the depthwise and the pointwise convolution together are.

        The zero padding of the squeezed channels happens before both, so borders are exact too.
        """
        n = self.width
        depthwise = ops.reshape(self.depthwise.kernel, (3, 3, n, 2, 1))
        pointwise = ops.reshape(self.pointwise.kernel, (2 * n, 2 * n))
        kernel = ops.sum(depthwise * ops.reshape(pointwise, (1, 1, n, 2, 2 * n)), axis=3)
        bias = ops.matmul(ops.reshape(self.depthwise.bias, (1, 2 * n)), pointwise)[0]
        return kernel, bias + self.pointwise.bias

    def _separable(self, squeezed: Any) -> Any:
        # One dense convolution instead of two: at these widths depthwise convolutions are slower
        # on every backend, and on JAX their gradient is by more than ten times.
        kernel, bias = self.separable_kernel()
        return ops.conv(squeezed, kernel, padding="same", data_format="channels_last") + bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], 4 * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "dropout": self.dropout_rate}
