"""PNG, JPEG and BMP: one frame a file."""

import contextlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from amseg_keras._on_demand import needed
from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo, orientation_note, upright
from amseg_keras.read.pixels import COLOUR_NOTE, is_colour, plain_dtype, reads_class_ids, to_grey

_KIND = "a PNG, JPEG or BMP image"
_ORIENTATION = 274
_MOST_PIXELS = 1 << 29


class ImageReader(FrameReader):
    """A picture, decoded on opening: its one frame is all there is to hold."""

    kind = _KIND

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with reading(self.label, self.kind):
            pixels, orientation = _decode(path)
            self._frame = upright(to_grey(pixels), orientation)
        height, width = self._frame.shape
        notes = (COLOUR_NOTE if is_colour(pixels) else None, orientation_note(orientation))
        self.info = StackInfo(
            frames=1,
            height=height,
            width=width,
            dtype=plain_dtype(self._frame.dtype, self.label),
            notes=tuple(note for note in notes if note),
        )

    def read(self, index: int) -> np.ndarray:
        return self._frame.copy()


def open_file(path: Path) -> ImageReader:
    """Open a PNG, JPEG or BMP file."""
    return ImageReader(path)


def open_picture(path: Path, formats: tuple[str, ...] = ("PNG", "JPEG", "BMP")) -> Image.Image:
    """Open a picture of a known format, whatever its name says.

    Pillow tries every format that it knows otherwise, and starts Ghostscript for one of them.

    Raises:
        ReadError: It is of none of these formats, or larger than any frame.
    """
    try:
        image = Image.open(path, formats=formats)
    except UnidentifiedImageError as error:
        kind = _KIND if formats == ("PNG", "JPEG", "BMP") else f"one of {', '.join(formats)}"
        raise ReadError(
            f"{path}: is not {kind}, though its name says so; give the image itself"
        ) from error
    if image.width * image.height > _MOST_PIXELS:
        image.close()
        raise ReadError(
            f"{path}: says that it is {image.height} x {image.width} pixels; if it is not, it is "
            "damaged: export it again"
        )
    return image


def _decode(path: Path) -> tuple[np.ndarray, int]:
    with open_picture(path) as image:
        pixels, orientation = _pixels(path, image), 1
        with contextlib.suppress(Exception):  # a damaged EXIF block says nothing
            orientation = int(image.getexif().get(_ORIENTATION, 1))
        return pixels, orientation


def _pixels(path: Path, image: Image.Image) -> np.ndarray:
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise ReadError(f"{path}: is an animated PNG; save its frames as single files or TIFF")
    if _is_16bit_colour(image):
        # Pillow would drop the low byte of every channel without a word.
        imagecodecs = needed("imagecodecs", "a PNG file of 16-bit colours")
        return np.asarray(imagecodecs.png_decode(path.read_bytes()))
    if image.mode == "P" and reads_class_ids():
        return np.array(image)  # the indices are the ids, whatever colours show them
    if image.mode in ("P", "PA"):
        return np.asarray(image.convert("RGBA"))
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return np.asarray(image.convert("RGB"))
    return np.array(image)


def _is_16bit_colour(image: Image.Image) -> bool:
    # I;16B is grey and stays 16 bit; Pillow has no mode for 16-bit RGB and grey with alpha.
    return (
        image.format == "PNG"
        and isinstance(image, ImageFile.ImageFile)
        and any(str(tile.args).endswith(";16B") and tile.args != "I;16B" for tile in image.tile)
    )
