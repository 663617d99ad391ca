"""The attention gate in AM-SegNet's bottleneck."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class AttentionGate(keras.layers.Layer):
    """Weigh every pixel of `x` by how well it goes with the gating signal `g`.

    `alpha = sigmoid(psi(relu(theta(x) + phi(g))))`, output `batch norm(alpha * x)`, with 1x1
    convolutions theta, phi (`width` channels) and psi (one channel): equations 1 and 2 of the
    paper.

    Args:
        width: channels in which `x` and `g` are compared.

    Shapes:
        `[x, g]`, both `(batch, height, width, any)`, to the shape of `x`.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((1, 16, 32, 8), "float32")
        >>> tuple(AttentionGate(4)([x, x]).shape)
        (1, 16, 32, 8)
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        policy = self.dtype_policy
        self.phi = keras.layers.Conv2D(width, 1, dtype=policy)
        self.theta = keras.layers.Conv2D(width, 1, dtype=policy)
        self.psi = keras.layers.Conv2D(1, 1, activation="sigmoid", dtype=policy)
        self.norm = keras.layers.BatchNormalization(dtype=policy)

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        x_shape, gating_shape = input_shape
        self.phi.build(gating_shape)
        self.theta.build(x_shape)
        self.psi.build((*x_shape[:-1], self.width))
        self.norm.build(x_shape)

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        x, gating = inputs
        return self.norm(self.attention(x, gating) * x, training=training)

    def attention(self, x: Any, gating: Any) -> Any:
        """Compute the attention coefficients (paper, equation 1), `(batch, height, width, 1)`."""
        return self.psi(ops.relu(self.theta(x) + self.phi(gating)))

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}
