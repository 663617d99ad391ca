"""Pictures whose pixels are class ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from amseg_keras.read import ReadError
from amseg_keras.read.errors import quiet, reading


def read_label_image(path: Path) -> np.ndarray:
    """Read class ids from a PNG or TIFF of one channel; a palette's indices, not its colours.

    Args:
        path: Grey or palette picture; 16 and 32 bits are accepted as long as the ids fit 8.

    Returns:
        uint8 `(height, width)`.

    Raises:
        ReadError: It cannot be read, is a colour picture, or holds ids that no uint8 can.
    """
    with reading(str(path), "labels"), quiet("tifffile"):
        if path.suffix.lower() in (".tif", ".tiff"):
            pixels = np.squeeze(tifffile.imread(path))
        else:
            with Image.open(path) as picture:
                pixels = np.asarray(picture)
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 3, 4):
        grey = pixels[..., 0]
        if pixels.shape[-1] == 2 or (pixels[..., :3] == grey[..., None]).all():
            pixels = grey
    if pixels.ndim != 2:
        raise ReadError(
            f"{path}: is {' x '.join(map(str, pixels.shape))}, not one picture of class ids; "
            "colour-coded masks and stacks are turned into class ids by: amseg dataset import"
        )
    return as_class_ids(pixels, str(path))


def as_class_ids(pixels: np.ndarray, where: str) -> np.ndarray:
    """Pixels of any dtype as uint8 class ids.

    Args:
        pixels: `(height, width)`.
        where: Start of the error's message: the file, perhaps with a page.

    Raises:
        ReadError: One of them is no whole number from 0 to 255.

    Example:
        >>> as_class_ids(np.array([[1.0, 255.0]]), "labels.tif")
        array([[  1, 255]], dtype=uint8)
    """
    ids = pixels.astype(np.uint8)
    if not np.array_equal(ids, pixels):
        raise ReadError(
            f"{where}: holds values from {pixels.min()} to {pixels.max()}; "
            "class ids are whole numbers from 0 to 255"
        )
    return ids
