"""What all networks begin and end with: the input and the classification head."""

from __future__ import annotations

from typing import Any

import keras

MULTIPLE = 16
"""Height and width of the input must be multiples of this: four 2x2 poolings."""

InputShape = tuple[int | None, int | None, int]


def frames_input(input_shape: InputShape) -> Any:
    """The input tensor for frames of shape `(height, width, channels)`.

    Raises:
        ValueError: a side that is not a multiple of 16; the message names the nearest that are.
    """
    for side in input_shape[:2]:
        if side is not None and side % MULTIPLE:
            below = side // MULTIPLE * MULTIPLE
            raise ValueError(
                f"input_shape={tuple(input_shape)}: height and width must be multiples of "
                f"{MULTIPLE}, for example {below or MULTIPLE} or {below + MULTIPLE} instead of "
                f"{side}; a Segmenter pads frames of any size by itself"
            )
    return keras.Input(input_shape, name="frames")


def class_probabilities(features: Any, num_classes: int) -> Any:
    """1x1 convolution to the classes, batch norm (`logits`), softmax (`probabilities`).

    The softmax runs in float32 in every precision, since a loss and a confidence need it.
    """
    scores = keras.layers.Conv2D(num_classes, 1, name="scores")(features)
    logits = keras.layers.BatchNormalization(name="logits")(scores)
    return keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
