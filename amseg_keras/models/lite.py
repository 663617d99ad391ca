"""A small AM-SegNet that works at a quarter of the resolution, for frames on a few cores."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from amseg_keras.layers import AttentionGate, ConvBlock, DepthToSpace, SqueezeExpand
from amseg_keras.models.ends import InputShape, frames_input

CELL = 4
"""Side of the square of pixels that the network sees, and answers for, as one."""


def AMSegNetLite(
    num_classes: int = 5,
    base_filters: int = 32,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
    block: str = "conv",
) -> keras.Model:
    """AM-SegNet's plan with the layers at full and half resolution left out; not trained.

    The first convolution takes the frame to a quarter of its resolution at once, and the last one
    gives, for each cell of 4 x 4 pixels, the scores of all 16. Between them there are the parts of
    `AMSegNet`: an encoder with pooling, a bottleneck of three blocks whose first and last meet in
    the attention gate, a decoder with skip connections, which are added here.
    """

    def stage(x: Any, width: int, name: str) -> Any:
        if block == "conv":
            return ConvBlock(width, dropout, name=name)(x)
        return SqueezeExpand(width // 4, dropout, name=name)(x)

    f = base_filters
    inputs = frames_input(input_shape)
    x = layers.Conv2D(f, 2 * CELL, strides=CELL, padding="same", name="cells")(inputs)
    x = layers.ReLU(name="cells_relu")(layers.BatchNormalization(name="cells_norm")(x))

    first_skip = stage(x, f, "encoder_1")
    x = layers.MaxPooling2D(name="pool_1")(first_skip)
    x = stage(x, 2 * f, "encoder_2")
    second_skip = stage(x, 2 * f, "encoder_3")
    x = layers.MaxPooling2D(name="pool_2")(second_skip)

    first = stage(x, 4 * f, "bottleneck_1")
    second = stage(first, 4 * f, "bottleneck_2")
    x = stage(second, 4 * f, "bottleneck_3")
    gate = AttentionGate(4 * f, name="attention_gate")([first, x])
    x = layers.Add(name="bottleneck")([x, gate])

    for step, (width, skip) in enumerate(((2 * f, second_skip), (f, first_skip)), start=1):
        x = layers.Conv2D(width, 1, name=f"narrow_{step}")(x)
        x = layers.UpSampling2D(name=f"upsample_{step}")(x)
        x = layers.Add(name=f"skip_{step}")([x, skip])
        x = stage(x, width, f"decoder_{step}")

    scores = layers.Conv2D(CELL**2 * num_classes, 1, name="scores")(x)
    logits = DepthToSpace(CELL, name="logits")(scores)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="amsegnet_lite")
