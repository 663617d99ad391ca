"""Connected components as tensors, so that a compiled metric can count pores."""

from __future__ import annotations

from typing import Any

from keras import ops

from amseg_keras.metrics.pores import reaches
from amseg_keras.metrics.shapewise.highest_near import highest_near


def label_components(mask: Any) -> Any:
    """Give each 8-connected component of each frame an id of its own.

    Args:
        mask: bool `(batch, height, width)`.

    Returns:
        int32 `(batch, height width)`: in a component the number of its last pixel, counted from 1
        along the rows of the frame; 0 outside. The last pixel is the one whose id is its number.

    Raises:
        ValueError: A frame has more than 2^24 pixels.

    Example:
        >>> import numpy as np
        >>> mask = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]], bool)
        >>> np.asarray(label_components(mask)).reshape(4, 3)
        array([[ 5,  0,  0],
               [ 0,  5,  0],
               [ 0,  0,  0],
               [11, 11,  0]], dtype=int32)
    """
    batch, height, width = ops.shape(mask)
    if isinstance(height, int) and isinstance(width, int) and height * width > 1 << 24:
        raise ValueError(f"frames of {height} x {width}: pixel numbers in float32 go up to 2^24")
    frames = (batch, height, width)
    inside = ops.cast(mask, "float32")
    numbers = ops.reshape(ops.arange(1, height * width + 1, dtype="float32"), (1, height, width))

    def spread(labels: Any, _: Any) -> tuple[Any, Any]:
        # A label is the number of a pixel of the same component. Taken from neighbours alone, it
        # would go one pixel a step, through every bend; so the pixel that a label names, too,
        # takes the highest that any of those of its label has seen, and all take its label.
        near = inside * highest_near(labels, 1, 1)
        named = ops.segment_max(
            ops.reshape(near, (-1,)), _named_pixels(labels), batch * height * width
        )
        # Not times `inside`: what no label names is -inf here.
        highest = ops.where(inside > 0, ops.maximum(near, ops.reshape(named, frames)), 0.0)
        taken = ops.take(ops.reshape(highest, (-1,)), _named_pixels(highest))
        new = ops.maximum(highest, inside * ops.reshape(taken, frames))
        return new, ops.any(new > labels)

    labels, _ = ops.while_loop(
        lambda _, changed: changed, spread, (inside * numbers, ops.any(inside > 0))
    )
    return ops.cast(ops.reshape(labels, (batch, height * width)), "int32")


def _named_pixels(labels: Any) -> Any:
    """Where in the whole batch, flattened, the pixels are whose numbers are the labels: int32.

    Outside of components it is the first pixel of the frame.
    """
    batch = ops.shape(labels)[0]
    flat = ops.cast(ops.reshape(labels, (batch, -1)), "int32")
    first = ops.expand_dims(ops.arange(batch, dtype="int32") * ops.shape(flat)[1], -1)
    return ops.reshape(first + ops.maximum(flat - 1, 0), (-1,))


def count_covered(mask: Any, other: Any, min_overlap: float) -> Any:
    """Count the components of a mask, and those of them that lie on another mask.

    Args:
        mask: bool `(batch, height, width)`.
        other: Likewise.
        min_overlap: Share of a component's area that must lie there.

    Returns:
        The two numbers, summed over the batch: int32 `(2,)`.
    """
    labels = label_components(mask)
    batch, pixels = ops.shape(labels)
    inside = ops.cast(labels > 0, "float32")
    components = _named_pixels(labels)

    def areas(part: Any) -> Any:
        return ops.segment_sum(ops.reshape(part, (-1,)), components, batch * pixels)

    area = areas(inside)
    overlap = areas(inside * ops.cast(ops.reshape(other, (batch, pixels)), "float32"))
    there = area > 0
    covered = there & reaches(overlap, area, min_overlap)
    return ops.stack([ops.sum(ops.cast(part, "int32")) for part in (there, covered)])
