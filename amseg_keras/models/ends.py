"""Begin and end networks: the input, the classification head, and allowed sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

MULTIPLE = 16
"""Height and width of the input must be multiples of this: four 2x2 poolings."""

InputShape = tuple[int | None, int | None, int]


def frames_input(input_shape: InputShape) -> Any:
    """Make the input tensor for frames of shape `(height, width, channels)`.

    Raises:
        ValueError: A side is not a multiple of 16; the message names sizes that are.
    """
    import keras

    _check_sides(input_shape[:2], f"input_shape={tuple(input_shape)}")
    return keras.Input(input_shape, name="frames")


def class_probabilities(features: Any, num_classes: int) -> Any:
    """Add a 1x1 convolution to the classes, batch norm (`logits`), softmax (`probabilities`).

    The softmax runs in float32 in every precision, since a loss and a confidence need it.
    """
    import keras

    scores = keras.layers.Conv2D(num_classes, 1, name="scores")(features)
    logits = keras.layers.BatchNormalization(name="logits")(scores)
    return keras.layers.Softmax(dtype="float32", name="probabilities")(logits)


def refuse_other_sizes(model: keras.Model) -> keras.Model:
    """Make a network refuse frames whose sides are no multiples of 16, by a sentence.

    Without it such frames fail at the first skip connection, where two tensors do not fit. The
    check belongs to this model in memory; it is not saved with the network.

    Returns:
        The same model.
    """
    call = model.call

    def checked_call(inputs: Any, *args: Any, **options: Any) -> Any:
        shape = getattr(inputs, "shape", ())
        if len(shape) == 4:
            sides = tuple(shape[1:3])
            _check_sides(sides, "frames of {} x {} pixels".format(*sides))
        return call(inputs, *args, **options)

    model.call = checked_call
    return model


def _check_sides(sides: tuple[int | None, ...], what: str) -> None:
    """Raise a `ValueError` that names sizes that fit."""
    if all(side is None or side % MULTIPLE == 0 for side in sides):
        return
    below = tuple(side and max(side // MULTIPLE * MULTIPLE, MULTIPLE) for side in sides)
    above = tuple(side and -(-side // MULTIPLE) * MULTIPLE for side in sides)
    smaller, larger = (
        " x ".join("any" if s is None else f"{s}" for s in size) for size in (below, above)
    )
    fitting = larger if smaller == larger else f"{smaller} or {larger}"
    raise ValueError(
        f"{what}: height and width must be multiples of {MULTIPLE}, for example {fitting}; "
        "a Segmenter pads frames of any size by itself"
    )
