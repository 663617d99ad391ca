"""Weights that Keras hands to losses and metrics, made to fit label maps."""

from __future__ import annotations

from typing import Any


def pixel_weights(sample_weight: Any, shape: tuple[int, ...], name: str) -> Any:
    """Give weights of frames or pixels a shape that multiplies label maps.

    Args:
        sample_weight: Weights, `()`, `(batch,)`, `(batch, 1)`, `(batch, height, width)`, or these
            with a last axis of 1.
        shape: Shape of the label maps, `(batch, height, width)`.
        name: Name of the metric or loss, for the message.

    Returns:
        float32 `(batch, height, width)`, or `(batch, 1, 1)` for weights of frames.

    Raises:
        ValueError: The shape of the weights is none of these.

    Example:
        >>> tuple(pixel_weights([1.0, 0.5], (2, 4, 6), "iou").shape)
        (2, 1, 1)
    """
    from keras import ops

    weights = ops.convert_to_tensor(sample_weight, "float32")
    known = tuple(weights.shape)
    if len(known) == 4 and known[-1] == 1:
        weights = ops.squeeze(weights, -1)
    elif len(known) < 2 or known[1:] in ((1,), (1, 1)):
        weights = ops.reshape(weights, (-1, 1, 1))
    elif len(known) != 3 or any(
        one is not None and other is not None and one != other
        for one, other in zip(known, shape, strict=True)
    ):
        raise ValueError(
            f"{name}: sample_weight has the shape {known}; it must be (batch,), a weight for each "
            f"frame, or (batch, height, width), a weight for each pixel, here {tuple(shape)}"
        )
    return weights
