"""Single files, numbered, as one stack."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats import open_reader
from amseg_keras.read.formats.base import FrameReader, StackInfo


class SequenceReader(FrameReader):
    """One frame from each file, in the order given; opened one at a time.

    Size, dtype and metadata come from the first file that can be read; a broken file is an error
    of its own frame only.
    """

    kind = "a frame of a sequence"

    def __init__(self, label: str, files: Sequence[Path]) -> None:
        self.label = label
        self._files = tuple(files)
        self._first, info = self._first_readable()
        names = tuple(file.name for file in self._files)
        self.info = replace(info, frames=len(names), frame_names=names)

    def read(self, index: int) -> np.ndarray:
        file = self._files[index]
        found, frame = _read_single(file)
        expected = self.info
        if (found.height, found.width, found.dtype) != (
            expected.height,
            expected.width,
            expected.dtype,
        ):
            raise ReadError(
                f"{file}: is {_describe(found)}, but {self._first.name}, the first frame of the "
                f"sequence, is {_describe(expected)}; export it like the others or move it to a "
                "folder of its own"
            )
        return frame

    def where(self, index: int) -> str:
        return f"{self._files[index]}: frame {index}"

    def _first_readable(self) -> tuple[Path, StackInfo]:
        first_error: ReadError | None = None
        for file in self._files:
            try:
                info, _ = _read_single(file)
            except ReadError as error:
                first_error = first_error or error
            else:
                return file, info
        raise ReadError(
            f"{self.label}: none of its {len(self._files)} files can be read; the first says: "
            f"{first_error}"
        ) from first_error


def _read_single(file: Path) -> tuple[StackInfo, np.ndarray]:
    reader = open_reader(file)
    try:
        if reader.info.frames != 1:
            raise ReadError(
                f"{file}: holds {reader.info.frames} frames where the sequence has one a file; "
                "move it to a folder of its own"
            )
        with reading(str(file), reader.kind):
            return reader.info, reader.read(0)
    finally:
        reader.close()


def _describe(info: StackInfo) -> str:
    return f"{info.height} x {info.width} {info.dtype}"
