"""A small AM-SegNet that works at a quarter of the resolution, for frames on a few cores."""

from __future__ import annotations

import keras
from keras import layers

from amseg_keras.layers import AttentionGate, ConvBlock, DepthToSpace
from amseg_keras.models.ends import InputShape, frames_input, refuse_other_sizes

CELL = 4
"""Side of the square of pixels that the network sees, and answers for, as one."""


def AMSegNetLite(
    num_classes: int = 5,
    base_filters: int = 32,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
) -> keras.Model:
    """Build AM-SegNet without the layers at full and half resolution, not trained.

    The first convolution takes the frame to a quarter of its resolution at once, and the last one
    gives, for each cell of 4 x 4 pixels, the scores of all 16. Between them there are the parts of
    `AMSegNet`: an encoder with pooling, a bottleneck of three blocks whose first and last meet in
    the attention gate, a decoder with skip connections, which are added here. At the defaults a
    frame of 256 x 512 takes 0.59 GMAC, AM-SegNet 22.9. Its blocks are plain convolutions: at a
    quarter of the resolution squeeze-expand blocks of the same cost are slower and no more accurate
    (benchmarks, "A small network").

    Args:
        num_classes: channels of the output.
        base_filters: width of the first block, `f`; the bottleneck has `4 f`.
        dropout: fraction dropped after every block in training.
        input_shape: `(height, width, channels)`; height and width multiples of 16 or `None`.

    Returns:
        Functional model as from `AMSegNet`.

    Raises:
        ValueError: `input_shape` has a side that is not a multiple of 16.

    Example:
        >>> model = AMSegNetLite(num_classes=5, input_shape=(256, 512, 1))
        >>> model.output_shape
        (None, 256, 512, 5)
    """
    f = base_filters
    inputs = frames_input(input_shape)
    x = layers.Conv2D(f, 2 * CELL, strides=CELL, padding="same", name="cells")(inputs)
    x = layers.ReLU(name="cells_relu")(layers.BatchNormalization(name="cells_norm")(x))

    first_skip = ConvBlock(f, dropout, name="encoder_1")(x)
    x = layers.MaxPooling2D(name="pool_1")(first_skip)
    x = ConvBlock(2 * f, dropout, name="encoder_2")(x)
    second_skip = ConvBlock(2 * f, dropout, name="encoder_3")(x)
    x = layers.MaxPooling2D(name="pool_2")(second_skip)

    first = ConvBlock(4 * f, dropout, name="bottleneck_1")(x)
    second = ConvBlock(4 * f, dropout, name="bottleneck_2")(first)
    x = ConvBlock(4 * f, dropout, name="bottleneck_3")(second)
    gate = AttentionGate(4 * f, name="attention_gate")([first, x])
    x = layers.Add(name="bottleneck")([x, gate])

    for step, (width, skip) in enumerate(((2 * f, second_skip), (f, first_skip)), start=1):
        x = layers.Conv2D(width, 1, name=f"narrow_{step}")(x)
        x = layers.UpSampling2D(name=f"upsample_{step}")(x)
        x = layers.Add(name=f"skip_{step}")([x, skip])
        x = ConvBlock(width, dropout, name=f"decoder_{step}")(x)

    scores = layers.Conv2D(CELL**2 * num_classes, 1, name="scores")(x)
    logits = DepthToSpace(CELL, name="logits")(scores)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return refuse_other_sizes(keras.Model(inputs, outputs, name="amsegnet_lite"))
