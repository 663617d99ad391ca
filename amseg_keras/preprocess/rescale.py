"""Frames at another scale, and labels brought back to the scale of the frames."""

from __future__ import annotations

import numpy as np
from PIL import Image

SMALLEST_SCALE, LARGEST_SCALE = 0.1, 10.0
"""Factors beyond are mistakes: in the pixel size, for example."""

NEAR_ONE = 0.05
"""Frames keep their size if their pixel size differs less than this from the training's."""


def scale_between(pixel_size_um: float | None, trained_um: float | None) -> float:
    """Compute the factor that gives frames the pixel size of the training.

    Args:
        pixel_size_um: Size of a pixel of the frames, in um; `None` if it is not known.
        trained_um: Size of a pixel of the training frames, in um; `None` if it is not known.

    Returns:
        Enlargement of the frames; 1 where one of both is not known, or both differ by less than
        5 %.

    Raises:
        ValueError: The factor is below 0.1 or above 10.

    Example:
        >>> scale_between(2.0, 4.0), scale_between(None, 4.0), scale_between(4.1, 4.0)
        (0.5, 1.0, 1.0)
    """
    if pixel_size_um is None or trained_um is None:
        return 1.0
    factor = pixel_size_um / trained_um
    return 1.0 if abs(factor - 1) < NEAR_ONE else checked_scale(factor)


def checked_scale(factor: float) -> float:
    """Give a factor back that is possible.

    Raises:
        ValueError: It is below 0.1 or above 10.
    """
    if not SMALLEST_SCALE <= factor <= LARGEST_SCALE:
        raise ValueError(
            f"a scale of {factor:g} is not possible; take a factor from {SMALLEST_SCALE:g} to "
            f"{LARGEST_SCALE:g}: 2 makes frames twice as high and wide"
        )
    return float(factor)


def scaled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Compute height and width of a frame after scaling, at least one pixel each.

    Example:
        >>> scaled_shape((100, 201), 0.5)
        (50, 100)
    """
    height, width = (max(round(side * factor), 1) for side in shape[-2:])
    return height, width


def rescale(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resample a frame: averages over areas along sides that shrink, cubic where it grows.

    Args:
        frame: `(height, width)`, any real dtype.
        shape: Wanted height and width in pixels.

    Returns:
        float32 of the wanted shape.

    Example:
        >>> rescale(np.array([[1, 3, 5, 7], [1, 3, 5, 7]], "uint16"), (1, 2))
        array([[2., 6.]], dtype=float32)
    """
    if frame.shape == shape:
        return np.asarray(frame, np.float32)
    shrinks = shape[0] < frame.shape[0] or shape[1] < frame.shape[1]
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(frame, np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), how))


def labels_of_shape(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring labels to a shape: each pixel takes the label at its centre.

    Args:
        labels: `(height, width)`, any dtype.
        shape: Wanted height and width in pixels.

    Example:
        >>> labels_of_shape(np.array([[1, 2]], "uint8"), (2, 4)).tolist()
        [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    rows, columns = (
        np.minimum((np.arange(wanted) + 0.5) * has / wanted, has - 1).astype(int)
        for wanted, has in zip(shape, labels.shape, strict=True)
    )
    return np.asarray(labels[rows[:, None], columns])
