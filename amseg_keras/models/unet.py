"""U-Net and its two variants: the networks that AM-SegNet is compared with (paper, Table 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from amseg_keras.layers import ConvBlock, FireBlock, ResidualBlock
from amseg_keras.models.ends import (
    InputShape,
    class_probabilities,
    frames_input,
    refuse_other_sizes,
)

Stage = Callable[[Any, int, str], Any]
"""`(tensor, width, name)` to a tensor of `width` channels."""


def UNet(
    num_classes: int = 5,
    base_filters: int = 64,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
) -> keras.Model:
    """Build a U-Net with two convolution blocks a stage, not trained (section 3.1, Table 2).

    Widths `base_filters` times 1, 2, 4, 8, 16; nearest-neighbour upsampling. With the defaults it
    has 31,389,839 trainable parameters.

    Args:
        num_classes: channels of the output.
        base_filters: width of the first stage; the bottleneck has 16 times as many.
        dropout: fraction dropped after every stage in training.
        input_shape: `(height, width, channels)`; height and width multiples of 16 or `None`.

    Returns:
        Functional model as from `AMSegNet`.

    Raises:
        ValueError: `input_shape` has a side that is not a multiple of 16.

    Example:
        >>> UNet(base_filters=4, input_shape=(32, 64, 1)).output_shape
        (None, 32, 64, 5)
    """
    stage = _double_convolution(dropout)
    inputs = frames_input(input_shape)
    features = _u_shape(inputs, base_filters, encoder=stage, decoder=stage)
    return refuse_other_sizes(
        keras.Model(inputs, class_probabilities(features, num_classes), name="unet")
    )


def ResUNet(
    num_classes: int = 5,
    base_filters: int = 64,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
) -> keras.Model:
    """Build Res-U-Net, a U-Net of residual blocks, not trained (Table 2).

    With the defaults it has 33,139,535 trainable parameters.

    Args:
        num_classes: channels of the output.
        base_filters: width of the first stage; the bottleneck has 16 times as many.
        dropout: fraction dropped after every stage in training.
        input_shape: `(height, width, channels)`; height and width multiples of 16 or `None`.

    Returns:
        Functional model as from `AMSegNet`.

    Raises:
        ValueError: `input_shape` has a side that is not a multiple of 16.

    Example:
        >>> ResUNet(base_filters=4, input_shape=(32, 64, 1)).output_shape
        (None, 32, 64, 5)
    """

    def stage(x: Any, width: int, name: str) -> Any:
        return ResidualBlock(width, dropout, name=name)(x)

    inputs = frames_input(input_shape)
    features = _u_shape(inputs, base_filters, encoder=stage, decoder=stage)
    return refuse_other_sizes(
        keras.Model(inputs, class_probabilities(features, num_classes), name="resunet")
    )


def SqueezeUNet(
    num_classes: int = 5,
    base_filters: int = 64,
    dropout: float = 0.0,
    input_shape: InputShape = (None, None, 1),
) -> keras.Model:
    """Build Squeeze-U-Net, a U-Net with an encoder of fire blocks, not trained (Table 2).

    A fire block squeezes to half the width of its stage. With the defaults it has 16,388,815
    trainable parameters.

    Args:
        num_classes: channels of the output.
        base_filters: width of the first stage, even; the bottleneck has 16 times as many.
        dropout: fraction dropped after every stage in training.
        input_shape: `(height, width, channels)`; height and width multiples of 16 or `None`.

    Returns:
        Functional model as from `AMSegNet`.

    Raises:
        ValueError: `input_shape` has a side that is not a multiple of 16, or
            `base_filters` is odd.

    Example:
        >>> SqueezeUNet(base_filters=4, input_shape=(32, 64, 1)).output_shape
        (None, 32, 64, 5)
    """
    if base_filters % 2:
        raise ValueError(f"base_filters={base_filters}: a fire block needs an even number")

    def fire(x: Any, width: int, name: str) -> Any:
        return FireBlock(width // 2, dropout, name=name)(x)

    inputs = frames_input(input_shape)
    features = _u_shape(inputs, base_filters, encoder=fire, decoder=_double_convolution(dropout))
    return refuse_other_sizes(
        keras.Model(inputs, class_probabilities(features, num_classes), name="squeezeunet")
    )


def _u_shape(inputs: Any, base_filters: int, encoder: Stage, decoder: Stage) -> Any:
    """Build four encoder stages, a bottleneck, four decoder stages with skip connections."""
    widths = [base_filters * 2**step for step in range(5)]
    x, skips = inputs, []
    for step, width in enumerate(widths[:4], start=1):
        x = encoder(x, width, f"encoder_{step}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"pool_{step}")(x)
    x = encoder(x, widths[4], "bottleneck")
    for step, (width, skip) in enumerate(
        zip(reversed(widths[:4]), reversed(skips), strict=True), start=1
    ):
        x = layers.UpSampling2D(name=f"upsample_{step}")(x)
        x = layers.Concatenate(name=f"skip_{step}")([x, skip])
        x = decoder(x, width, f"decoder_{step}")
    return x


def _double_convolution(dropout: float) -> Stage:
    def stage(x: Any, width: int, name: str) -> Any:
        x = ConvBlock(width, name=f"{name}_1")(x)
        return ConvBlock(width, dropout, name=f"{name}_2")(x)

    return stage
