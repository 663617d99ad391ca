"""NumPy `.npy` files, mapped and never unpickled."""

from pathlib import Path

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.pixels import COLOUR_NOTE, asked_layout, find_layout, layout_note, plain_dtype


class NpyReader(FrameReader):
    """An array ``(height, width)`` or ``(frames, height, width)`` on disk.

    Args:
        axes: Meaning of its axes, if the user said it.
    """

    kind = "a NumPy array"

    def __init__(self, path: Path, axes: str | None) -> None:
        self.label = str(path)
        with open(path, "rb") as file, reading(self.label, self.kind):
            # Read before the data is mapped: an object array would be refused there with advice
            # (allow_pickle) that is unsafe for a file from elsewhere.
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, stored = read_header(file)
        dtype = plain_dtype(stored, self.label)
        if axes is not None:
            layout = asked_layout(shape, axes, self.label)
        else:
            found = find_layout(shape, stored, None) if len(shape) in (2, 3) else None
            if found is None:
                raise ReadError(
                    f"{self.label}: has shape {shape}; save it as (height, width) "
                    "or (frames, height, width), none of them 0, or say what its axes are: --axes"
                )
            layout = found
        with reading(self.label, self.kind):
            self._array = np.lib.format.open_memmap(path, mode="r")
        self._layout = layout
        said = (layout_note(layout, axes, None), COLOUR_NOTE if layout.has_colour else None)
        self.info = StackInfo(
            frames=layout.frames,
            height=layout.height,
            width=layout.width,
            dtype=dtype,
            notes=tuple(note for note in said if note),
        )

    def read(self, index: int) -> np.ndarray:
        # A copy, so that the frame neither keeps the file open nor changes with it.
        return np.array(self._layout.frame(self._array, index), order="C", subok=False)

    def close(self) -> None:
        del self._array


def open_file(path: Path, axes: str | None = None) -> NpyReader:
    """Open an .npy file."""
    return NpyReader(path, axes)
