"""Cutting and padding frames to the size of a batch."""

from __future__ import annotations

import numpy as np
from PIL import Image

from amseg_keras.classes import IGNORE


def fit_to_shape(
    image: np.ndarray,
    labels: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut what is too large and pad what is too small; the pixel size stays.

    Args:
        image: Grey levels `(height, width)`.
        labels: Class ids of the same shape.
        shape: Height and width to come out.
        rng: Draws where to cut; None cuts from the middle.

    Returns:
        Both with `shape`. Padding is at the bottom and right, as in inference: mirrored pixels,
        labelled 255.

    Example:
        >>> image, labels = np.arange(6.0).reshape(2, 3), np.zeros((2, 3), np.uint8)
        >>> image, labels = fit_to_shape(image, labels, (3, 2), np.random.default_rng(0))
        >>> image.shape, labels[-1].tolist()
        ((3, 2), [255, 255])
    """
    start = [
        extra // 2 if rng is None else int(rng.integers(extra + 1))
        for extra in (max(have - want, 0) for have, want in zip(image.shape, shape, strict=True))
    ]
    window = tuple(slice(s, s + want) for s, want in zip(start, shape, strict=True))
    image, labels = image[window], labels[window]
    missing = [(0, want - have) for have, want in zip(image.shape, shape, strict=True)]
    if any(after for _, after in missing):
        image = np.pad(image, missing, mode="symmetric")
        labels = np.pad(labels, missing, constant_values=IGNORE)
    return image, labels


def resize(
    image: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Resize a frame bilinearly and its class ids to the nearest, on the same grid.

    Args:
        image: Grey levels, float32 `(height, width)`.
        labels: Class ids, uint8 of the same shape.
        shape: Height and width to come out.

    Returns:
        Both with `shape` and their dtypes.

    Example:
        >>> image, labels = np.eye(2, dtype="float32"), np.eye(2, dtype="uint8")
        >>> resize(image, labels, (2, 4))[1].tolist()
        [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    size = shape[::-1]
    return (
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)),
        np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)),
    )
