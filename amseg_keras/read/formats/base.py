"""What every file format offers to `FrameStack`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class StackInfo:
    """What is known of a stack before its frames are read.

    Attributes:
        frames: Number of frames.
        height: Rows of a frame.
        width: Columns of a frame.
        dtype: Dtype of the grey frames.
        pixel_size_um: Edge of a pixel in micrometres, where the file says so unambiguously.
        frame_rate_hz: Frames per second of the recording, where the file says so.
        notes: What was assumed on reading, a sentence each.
        frame_names: File name of each frame, for a sequence of single files; empty for a missing
            frame.
        first_number: Number of the first frame in a recording of several files, where the file
            says it.
        is_inverted: Whether the file says that 0 is white.
        whole: Number of frames of the recording that the file is a part of, where it says so.
    """

    frames: int
    height: int
    width: int
    dtype: np.dtype
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    notes: tuple[str, ...] = ()
    frame_names: tuple[str, ...] | None = None
    first_number: int | None = None
    whole: int | None = None
    is_inverted: bool = False


class FrameReader(ABC):
    """An open file that gives its frames one at a time.

    Attributes:
        label: The file as the user gave it, the start of every error message.
        kind: What the file is read as, for error messages.
        info: Size, dtype and metadata.
        linked_files: Other files that the frames come from.
    """

    label: str
    kind: str
    info: StackInfo
    linked_files: tuple[Path, ...] = ()

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Grey frame `index` as ``(height, width)``; 0 <= index < info.frames."""

    def where(self, index: int) -> str:
        """Start of an error message about frame `index`."""
        return f"{self.label}: frame {index}"

    def is_missing(self, index: int) -> bool:
        """Whether frame `index` was never recorded or saved, rather than damaged."""
        return False

    def close(self) -> None:  # noqa: B027 - nothing to close is the common case
        """Release the file."""
