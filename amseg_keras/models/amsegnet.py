"""AM-SegNet: a U-shaped network of squeeze-expand blocks with an attention gate (Figure 3)."""

from __future__ import annotations

import keras
from keras import layers

from amseg_keras.layers import AttentionGate, ConvBlock, SqueezeExpand
from amseg_keras.models.ends import (
    InputShape,
    class_probabilities,
    frames_input,
    refuse_other_sizes,
)


def AMSegNet(
    num_classes: int = 5,
    base_filters: int = 12,
    attention: bool = True,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
) -> keras.Model:
    """Build AM-SegNet of Li et al. 2024 (section 2.4, Figure 3), not trained.

    Four squeeze-expand blocks with max pooling, three convolution blocks whose first and last meet
    in an attention gate, four decoder steps with skip connections, and a softmax head. With the
    defaults it has 17,526,064 trainable parameters (paper, Table 2); with `attention=False`, the
    paper's AM-SegNet*, 16,342,575.

    Args:
        num_classes: channels of the output.
        base_filters: width of the first squeeze-expand block, `f`; the bottleneck has `64 f`.
        attention: use the attention gate.
        dropout: fraction dropped after every block in training.
        input_shape: `(height, width, channels)`; height and width multiples of 16 or `None`.

    Returns:
        A functional model from `(batch, height, width, 1)` grey levels to
        `(batch, height, width, num_classes)` probabilities; the layer named `logits` gives the
        scores before the softmax.

    Raises:
        ValueError: `input_shape` has a side that is not a multiple of 16.

    Example:
        >>> model = AMSegNet(num_classes=5, input_shape=(256, 512, 1))
        >>> model.output_shape
        (None, 256, 512, 5)
    """
    f = base_filters
    inputs = frames_input(input_shape)

    # encoder
    x, skips = inputs, []
    for step, width in enumerate((f, 2 * f, 4 * f, 8 * f), start=1):
        skip = SqueezeExpand(width, dropout, name=f"encoder_{step}")(x)
        x = layers.MaxPooling2D(name=f"pool_{step}")(skip)
        skips.append(skip)

    # bottleneck
    first = ConvBlock(64 * f, dropout, name="bottleneck_1")(x)
    second = ConvBlock(64 * f, dropout, name="bottleneck_2")(first)
    x = ConvBlock(64 * f, dropout, name="bottleneck_3")(second)
    if attention:
        gate = AttentionGate(64 * f, name="attention_gate")([first, x])
        x = layers.Add(name="bottleneck")([x, gate])

    # decoder
    for step, (width, skip) in enumerate(
        zip((16 * f, 8 * f, 4 * f, 2 * f), reversed(skips), strict=True), start=1
    ):
        if step > 1:
            x = layers.Conv2D(2 * width, 3, padding="same", name=f"smooth_{step}")(x)
        x = layers.UpSampling2D(name=f"upsample_{step}")(x)
        x = layers.Concatenate(name=f"skip_{step}")([x, skip])
        x = ConvBlock(width, dropout, name=f"decoder_{step}")(x)

    name = "amsegnet" if attention else "amsegnet_no_gate"
    return refuse_other_sizes(keras.Model(inputs, class_probabilities(x, num_classes), name=name))
