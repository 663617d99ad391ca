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
    focus: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut what is too large and pad what is too small; the pixel size stays.

    Args:
        image: Grey levels `(height, width)`, or channels `(height, width, channels)`.
        labels: Class ids `(height, width)`.
        shape: Height and width to come out.
        rng: Draws where to cut; None cuts from the middle.
        focus: How often, from 0 to 1, the cut is placed such that it holds a pixel of the frame's
            rarest class.

    Returns:
        Both with `shape`. Padding is at the bottom and right, as in inference: mirrored pixels,
        labelled 255.

    Example:
        >>> image, labels = np.arange(6.0).reshape(2, 3), np.zeros((2, 3), np.uint8)
        >>> image, labels = fit_to_shape(image, labels, (3, 2), np.random.default_rng(0))
        >>> image.shape, labels[-1].tolist()
        ((3, 2), [255, 255])
    """
    spare = [max(have - want, 0) for have, want in zip(labels.shape, shape, strict=True)]
    if rng is None:
        start = [extra // 2 for extra in spare]
    elif any(spare) and rng.random() < focus and (pixel := _rare_pixel(labels, rng)) is not None:
        start = [
            int(np.clip(at - rng.integers(want), 0, extra))
            for at, want, extra in zip(pixel, shape, spare, strict=True)
        ]
    else:
        start = [int(rng.integers(extra + 1)) for extra in spare]
    window = tuple(slice(s, s + want) for s, want in zip(start, shape, strict=True))
    image, labels = image[window], labels[window]
    missing = [(0, want - have) for have, want in zip(labels.shape, shape, strict=True)]
    if any(after for _, after in missing):
        image = np.pad(image, missing + [(0, 0)] * (image.ndim - 2), mode="symmetric")
        labels = np.pad(labels, missing, constant_values=IGNORE)
    return image, labels


def _rare_pixel(labels: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    """Any pixel of the rarest class in a frame; None where all is to be ignored."""
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[IGNORE] = 0
    if not counts.any():
        return None
    rarest = np.where(counts > 0, counts, labels.size + 1).argmin()
    places = np.flatnonzero(labels == rarest)
    row, column = divmod(int(rng.choice(places)), labels.shape[1])
    return row, column


def resize(
    image: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Resize a frame bilinearly and its class ids to the nearest, on the same grid.

    Args:
        image: Grey levels, float32 `(height, width)`, or channels `(height, width, channels)`.
        labels: Class ids, uint8 `(height, width)`.
        shape: Height and width to come out.

    Returns:
        Both with `shape` and their dtypes.

    Example:
        >>> image, labels = np.eye(2, dtype="float32"), np.eye(2, dtype="uint8")
        >>> resize(image, labels, (2, 4))[1].tolist()
        [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    size = shape[::-1]
    planes = image[..., None] if image.ndim == 2 else image
    resized = [
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        for plane in np.moveaxis(planes, -1, 0)
    ]
    return (
        resized[0] if image.ndim == 2 else np.stack(resized, axis=-1),
        np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)),
    )
