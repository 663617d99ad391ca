"""ESRF data format, one frame or many, read by fabio."""

import copy
import logging
from pathlib import Path

import numpy as np
from fabio.edfimage import EdfImage

from amseg_keras.read.errors import ReadError, quiet, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.grey import plain_dtype

_LOGGERS = ("fabio.edfimage", "fabio.fabioimage")


class EdfReader(FrameReader):
    """An EDF file; headers are read on opening, pixels frame by frame."""

    kind = "EDF"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with reading(self.label, self.kind), quiet(*_LOGGERS):
            self._image = EdfImage().read(str(path))
            # The format stores no number of frames. fabio stops at a header or frame that is cut
            # and says so only here; a cut exactly between two frames leaves a sound shorter file.
            if self._image.incomplete_file:
                self._image.close()
                raise ReadError(
                    f"{self.label}: is cut short after {self._image.nframes - 1} whole frames; "
                    "copy or export it again"
                )
            shape, stored = self._image.get_frame(0).shape, self._image.dtype
        if len(shape) != 2:
            raise ReadError(f"{self.label}: holds {len(shape)}-D frames; save 2-D frames instead")
        self.info = StackInfo(
            frames=self._image.nframes,
            height=shape[0],
            width=shape[1],
            dtype=plain_dtype(np.dtype(stored), self.label),
        )

    def read(self, index: int) -> np.ndarray:
        # A frame keeps its pixels once they were asked for; a copy of it is thrown away instead.
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
