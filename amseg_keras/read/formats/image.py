"""PNG, JPEG and BMP: one frame a file."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.grey import COLOUR_NOTE, is_colour, plain_dtype, to_grey

_KIND = "a PNG, JPEG or BMP image"


class ImageReader(FrameReader):
    """A picture, decoded on opening: its one frame is all there is to hold."""

    kind = _KIND

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with reading(self.label, self.kind):
            pixels = _decode(path)
            self._frame = to_grey(pixels)
        height, width = self._frame.shape
        self.info = StackInfo(
            frames=1,
            height=height,
            width=width,
            dtype=plain_dtype(self._frame.dtype, self.label),
            notes=(COLOUR_NOTE,) if is_colour(pixels) else (),
        )

    def read(self, index: int) -> np.ndarray:
        return self._frame.copy()


def open_file(path: Path) -> ImageReader:
    """Open a PNG, JPEG or BMP file."""
    return ImageReader(path)


def _decode(path: Path) -> np.ndarray:
    try:
        image = Image.open(path, formats=("PNG", "JPEG", "BMP"))
    except UnidentifiedImageError as error:
        raise ReadError(
            f"{path}: is not {_KIND}, though its name says so; give the image itself"
        ) from error
    with image:
        if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
            raise ReadError(f"{path}: is an animated PNG; save its frames as single files or TIFF")
        if _is_16bit_colour(image):
            # Pillow would drop the low byte of every channel without a word.
            import imagecodecs

            return np.asarray(imagecodecs.png_decode(path.read_bytes()))
        if image.mode in ("P", "PA"):
            return np.asarray(image.convert("RGBA"))
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            return np.asarray(image.convert("RGB"))
        return np.array(image)


def _is_16bit_colour(image: ImageFile.ImageFile) -> bool:
    # I;16B is grey and stays 16 bit; Pillow has no mode for 16-bit RGB and grey with alpha.
    return image.format == "PNG" and any(
        str(tile.args).endswith(";16B") and tile.args != "I;16B" for tile in image.tile
    )
