"""ESRF data format, one frame or many, read by fabio."""

import bz2
import copy
import gzip
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, cast

import numpy as np

from amseg_keras._on_demand import needed
from amseg_keras.read.errors import ReadError, quiet, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.pixels import plain_dtype

_LOGGERS = ("fabio.edfimage", "fabio.fabioimage", "fabio.fabioutils")
_LARGEST_HEADER = 1 << 20
_BLOCK = 512
"""Headers and frames are filled up to a multiple of this number of bytes."""

_MOST_BYTES = 1 << 40
_MOST_SAVED = 1100
"""gzip makes nothing smaller by more than this factor."""

_DIMENSION = re.compile(r"dim_(\d+)")


class EdfReader(FrameReader):
    """An EDF file; headers are read on opening, pixels frame by frame."""

    kind = "EDF"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with reading(self.label, self.kind), quiet(*_LOGGERS):
            check_headers(path)
            self._image = open_image(path)
            # The format stores no number of frames. fabio stops at a header or frame that is cut
            # and says so only here; a cut exactly between two frames leaves a sound shorter file.
            if self._image.incomplete_file:
                self._image.close()
                raise ReadError(
                    f"{self.label}: is cut short after {self._image.nframes - 1} whole frames; "
                    "copy or export it again"
                )
            self._refuse_compression()
            shape, stored = self._image.get_frame(0).shape, self._image.dtype
            first = _first_number(self._image.get_frame(0).header)
        if len(shape) != 2:
            raise ReadError(f"{self.label}: holds {len(shape)}-D frames; save 2-D frames instead")
        self.info = StackInfo(
            frames=self._image.nframes,
            height=shape[0],
            width=shape[1],
            dtype=plain_dtype(np.dtype(stored), self.label),
            first_number=first,
        )

    def _refuse_compression(self) -> None:
        """Raise if fabio would decompress pixels, for which it may start other programs."""
        for index in range(self._image.nframes):
            if self._image.get_frame(index)._data_compression is not None:
                self._image.close()
                raise _compressed(f"{self.label}: frame {index}")

    def read(self, index: int) -> np.ndarray:
        # A frame keeps its pixels once they were read; a copy is thrown away instead.
        frame = copy.copy(self._image.get_frame(index))
        with quiet(*_LOGGERS) as records:
            pixels = np.asarray(frame.data)
        # fabio fills missing bytes with zeros and logs an error.
        for record in records:
            if record.levelno >= logging.ERROR:
                raise OSError(record.getMessage())
        return pixels

    def close(self) -> None:
        self._image.close()


def open_file(path: Path) -> EdfReader:
    """Open an EDF file."""
    return EdfReader(path)


def open_image(path: Path) -> Any:
    """Open an EDF file as fabio does, which the caller closes.

    Raises:
        MissingPackageError: fabio is not installed.
    """
    return _fabio().EdfImage().read(str(path))


def _fabio() -> ModuleType:
    return needed("fabio.edfimage", "an EDF file")


def check_headers(path: Path) -> None:
    """Compare the sizes that the headers of a file declare with the file, before it is read.

    fabio counts to the dimension that a header names, and takes memory for what it declares.

    Raises:
        ReadError: A header declares more than there is.
    """
    compressed = path.suffix.lower() in (".gz", ".bz2")
    with _opened(path) as file:
        # A compressed file does not say its size.
        size = path.stat().st_size * (_MOST_SAVED if compressed else 1)
        position = frame = 0
        while True:
            header, length = _read_header(file)
            if header is None:
                return
            where = f"{path}: the header of frame {frame}"
            pixels, stored = _declared(header, where)
            _check_block(header, pixels, stored, where)
            if max(pixels, stored) > min(size, _MOST_BYTES):
                raise ReadError(
                    f"{where} declares {max(pixels, stored):,} bytes, more than the file can hold; "
                    "it is damaged or cut short: copy or export it again"
                )
            position += length + stored
            if not compressed and position >= size:
                return
            file.seek(position)
            frame += 1


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return cast(
        BinaryIO, bz2.open(path, "rb") if path.suffix.lower() == ".bz2" else path.open("rb")
    )


def _read_header(file: BinaryIO) -> tuple[dict[str, str] | None, int]:
    """Read the fields of the next header, and its length; None if no header begins here."""
    block = b""
    while len(block) < _LARGEST_HEADER:
        part = file.read(512)
        block += part
        end = block.find(b"}\n")
        end = block.find(b"}\r\n") if end < 0 else end
        if end >= 0:
            end += 3 if block[end : end + 3] == b"}\r\n" else 2
            break
        if not part:
            return None, 0
    else:
        return None, 0
    if not block.lstrip().startswith(b"{"):
        return None, 0
    text = block[:end].decode("latin-1")
    fields = {}
    for line in text.strip("{}\r\n ").split(";"):
        key, found, value = line.partition("=")
        if found:
            fields[key.strip().lower()] = value.strip()
    return (fields, end) if fields else (None, 0)


def _declared(header: Mapping[str, str], where: str) -> tuple[int, int]:
    """Return bytes of the pixels, and bytes behind the header, as a header declares them."""
    sizes = []
    for key, value in header.items():
        match = _DIMENSION.fullmatch(key)
        if match is None:
            continue
        if len(match[1]) > 1 or not value.isascii() or not value.isdigit() or len(value) > 12:
            raise ReadError(
                f"{where} names the dimension {key[:20]} = {value[:20]}, which no frame has; it is "
                "damaged: copy or export it again"
            )
        sizes.append(int(value))
    item = np.dtype(_fabio().DATA_TYPES.get(header.get("datatype", ""), np.uint16)).itemsize
    pixels = math.prod(sizes) * item if sizes else 0
    if not header.get("compression", "none").lower().startswith("no"):
        raise _compressed(where)
    numbers = (header.get(key, "") for key in ("edf_binarysize", "size"))
    stored = next((int(n) for n in numbers if n.isascii() and n.isdigit() and len(n) < 20), pixels)
    if "edf_binaryfilename" in header:  # the pixels are in another file, beside this one
        pixels = 0
    return pixels, stored


def _check_block(header: Mapping[str, str], pixels: int, stored: int, where: str) -> None:
    """Raise if the block of a frame is not as long as its pixels, up to padding."""
    if not pixels or "edf_binaryfilename" in header:
        return
    if not pixels <= stored < pixels + _BLOCK:
        raise ReadError(
            f"{where} declares frames of {pixels:,} bytes in blocks of {stored:,}, so that its "
            "size or its data type is wrong; it is damaged: copy or export it again"
        )


def _compressed(where: str) -> ReadError:
    return ReadError(
        f"{where} declares pixels that are compressed one by one, which are not read; save it "
        "without compression, or compress the whole file: gzip FILE.edf"
    )


def _first_number(header: Mapping[str, str]) -> int | None:
    """Return the number of the first frame in its recording, as LIMA writes it."""
    text = str(header.get("acq_frame_nb", "")).strip()
    return int(text) if text.isdigit() and len(text) < 12 else None
