"""NumPy `.npy` files, mapped and never unpickled."""

from pathlib import Path

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.grey import plain_dtype


class NpyReader(FrameReader):
    """An array ``(height, width)`` or ``(frames, height, width)`` on disk."""

    kind = "a NumPy array"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with open(path, "rb") as file, reading(self.label, self.kind):
            # Read before the data is mapped: an object array would be refused there with advice
            # (allow_pickle) that nobody should follow on a file from elsewhere.
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, stored = read_header(file)
        dtype = plain_dtype(stored, self.label)
        if len(shape) not in (2, 3) or 0 in shape:
            raise ReadError(
                f"{self.label}: has shape {shape}; save it as (height, width) "
                "or (frames, height, width), none of them 0"
            )
        with reading(self.label, self.kind):
            array = np.lib.format.open_memmap(path, mode="r")
        self._frames = array if array.ndim == 3 else array[np.newaxis]
        frames, height, width = self._frames.shape
        self.info = StackInfo(frames=frames, height=height, width=width, dtype=dtype)

    def read(self, index: int) -> np.ndarray:
        # A copy, so that the frame neither keeps the file open nor changes with it.
        return np.array(self._frames[index], order="C", subok=False)

    def close(self) -> None:
        del self._frames


def open_file(path: Path) -> NpyReader:
    """Open an .npy file."""
    return NpyReader(path)
