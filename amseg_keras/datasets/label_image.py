"""Pictures whose pixels are class ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import open_reader
from amseg_keras.read.formats.image import open_picture
from amseg_keras.read.pixels import COLOUR_NOTE, class_ids

_TIFF = (".tif", ".tiff")
WHITE = 255


@dataclass(frozen=True)
class LabelPicture:
    """Class ids as a file stores them.

    Attributes:
        ids: uint8 `(height, width)`.
        notes: Sentence for each assumption on reading.
    """

    ids: np.ndarray
    notes: tuple[str, ...] = ()


def read_label_image(path: Path) -> np.ndarray:
    """Read class ids from a PNG, BMP or TIFF of one channel; a palette's indices, not its colours.

    Args:
        path: Grey or palette picture; 16 and 32 bits are accepted as long as the ids fit 8.

    Returns:
        uint8 `(height, width)`.

    Raises:
        ReadError: It cannot be read, is a colour picture, or holds ids that no uint8 can.
    """
    return read_label_picture(path).ids


def read_label_picture(path: Path) -> LabelPicture:
    """Read class ids as `read_label_image` does, with what was assumed."""
    if path.suffix.lower() in _TIFF:
        return _read_tiff(path)
    with reading(str(path), "labels"), open_picture(path, ("PNG", "BMP", "JPEG")) as picture:
        turned = ImageOps.exif_transpose(picture)
        pixels = np.asarray(turned)
        inverted = _is_inverted_palette(turned, pixels)
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 3, 4):
        grey = pixels[..., 0]
        if pixels.shape[-1] == 2 or (pixels[..., :3] == grey[..., None]).all():
            pixels = grey
    if pixels.ndim != 2:
        raise _not_ids(path, " x ".join(map(str, pixels.shape)))
    return unmirrored(as_class_ids(pixels, str(path)), inverted, str(path))


def _read_tiff(path: Path) -> LabelPicture:
    reader = open_reader(path)
    try:
        info = reader.info
        if info.frames != 1:
            raise _not_ids(path, f"{info.frames} x {info.height} x {info.width}")
        if COLOUR_NOTE in info.notes:
            raise _not_ids(path, f"{info.height} x {info.width} in colour")
        with reading(str(path), "labels"), class_ids(str(path)):
            pixels = reader.read(0)
    finally:
        reader.close()
    ids = as_class_ids(pixels, str(path))
    return unmirrored(ids, shows_zero_white(reader), str(path))


def shows_zero_white(reader: object) -> bool:
    """Tell whether 0 is white in a file, by its metadata and its content.

    ImageJ marks masks so whose objects, stored as 255, it draws black; there the stored values are
    what counts.
    """
    return bool(getattr(reader, "is_inverted", False)) and not getattr(reader, "is_imagej", False)


def unmirrored(ids: np.ndarray, inverted: bool, where: str) -> LabelPicture:
    """Turn a picture of two values, in which 0 is shown white, so that white is the object.

    Args:
        ids: uint8 `(height, width)`, as stored.
        inverted: True if 0 is shown white.

    Example:
        >>> unmirrored(np.array([[0, 1]], "uint8"), True, "a.tif").ids
        array([[1, 0]], dtype=uint8)
    """
    white = int(ids.max())
    if not inverted or white not in (1, WHITE) or set(np.unique(ids)) - {0, white}:
        return LabelPicture(ids)
    note = (
        f"{where} shows 0 as white, so its white pixels were taken as the object; if the black "
        'ones are: --colours "background=#ffffff,NAME=#000000"'
    )
    return LabelPicture(np.where(ids == 0, white, 0).astype(np.uint8), (note,))


def _is_inverted_palette(picture: Image.Image, pixels: np.ndarray) -> bool:
    """Tell whether a palette of greys shows the lower of two indices as the lighter one."""
    if picture.mode != "P" or pixels.size == 0:
        return False
    used = np.unique(pixels)
    palette = np.array(picture.getpalette() or (), np.uint8).reshape(-1, 3)
    # All of one colour: its partner is the other end of the palette.
    low, high = int(used[0]), int(used[-1]) if len(used) > 1 else min(len(palette) - 1, WHITE)
    if len(used) > 2 or max(low, high) >= len(palette) or low == high:
        return False
    ends = palette[[low, high]]
    return bool((ends == ends[:, :1]).all() and ends[0, 0] > ends[1, 0])


def _not_ids(path: Path, what: str) -> ReadError:
    return ReadError(
        f"{path}: is {what}, not one picture of class ids; "
        "colour-coded masks and stacks are turned into class ids by: amseg dataset import"
    )


def as_class_ids(pixels: np.ndarray, where: str) -> np.ndarray:
    """Turn pixels of any dtype into uint8 class ids.

    Args:
        pixels: `(height, width)`.
        where: Start of the error's message: the file, perhaps with a page.

    Raises:
        ReadError: One of them is no whole number from 0 to 255.

    Example:
        >>> as_class_ids(np.array([[1.0, 255.0]]), "labels.tif")
        array([[  1, 255]], dtype=uint8)
    """
    with np.errstate(invalid="ignore"):
        ids = pixels.astype(np.uint8)
    if not np.array_equal(ids, pixels):
        raise ReadError(
            f"{where}: holds values from {pixels.min()} to {pixels.max()}; "
            "class ids are whole numbers from 0 to 255"
        )
    return ids
