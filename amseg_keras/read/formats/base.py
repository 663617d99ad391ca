"""Base class of the readers of file formats, with turns and units that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class StackInfo:
    """Facts about a stack before its frames are read.

    Attributes:
        frames: Number of frames.
        height: Rows of a frame.
        width: Columns of a frame.
        dtype: Dtype of the grey frames.
        pixel_size_um: Edge of a pixel in micrometres, where the file says so unambiguously.
        frame_rate_hz: Frames per second of the recording, where the file says so.
        notes: Sentence for each assumption on reading.
        frame_names: File name of each frame, for a sequence of single files; empty for a missing
            frame.
        first_number: Number of the first frame in a recording of several files, where the file
            says it.
        is_inverted: True if the file says that 0 is white.
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
        kind: Format that the file is read as, for error messages.
        info: Size, dtype and metadata.
        linked_files: Other files that the frames come from.
    """

    label: str
    kind: str
    info: StackInfo
    linked_files: tuple[Path, ...] = ()

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Read grey frame `index` as ``(height, width)``; 0 <= index < info.frames."""

    def where(self, index: int) -> str:
        """Start of an error message about frame `index`."""
        return f"{self.label}: frame {index}"

    def is_missing(self, index: int) -> bool:
        """Tell whether frame `index` was never recorded or saved, and is not damaged."""
        return False

    def close(self) -> None:  # noqa: B027 - nothing to close is the common case
        """Release the file."""


_TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored along the diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along the other diagonal",
    8: "turned by 90 degrees counterclockwise",
}


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels so that the first row is at the top and the first column at the left.

    Args:
        pixels: ``(height, width)`` or with channels behind, as stored.
        orientation: 1 to 8 as in TIFF 6.0; others count as 1, as stored.

    Example:
        >>> upright(np.array([[1, 2], [3, 4]]), 6)
        array([[3, 1],
               [4, 2]])
    """
    if orientation in (2, 3, 4):
        rows = slice(None, None, -1 if orientation in (3, 4) else 1)
        columns = slice(None, None, -1 if orientation in (2, 3) else 1)
        return pixels[rows, columns]
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
        rows = slice(None, None, -1 if orientation in (7, 8) else 1)
        columns = slice(None, None, -1 if orientation in (6, 7) else 1)
        return pixels[rows, columns]
    return pixels


def swaps_axes(orientation: int) -> bool:
    """Tell whether rows become columns."""
    return orientation in (5, 6, 7, 8)


def orientation_note(orientation: int) -> str | None:
    """Say how frames were turned; None if they were not."""
    if orientation not in _TURNS:
        return None
    return f"frames {_TURNS[orientation]}, as the orientation in the file says ({orientation})"


_MICROMETRES = {
    "um": 1.0,
    "µm": 1.0,  # micro sign, as OME writes it
    "μm": 1.0,  # Greek mu
    "\\u00B5m": 1.0,  # as ImageJ writes it
    "micron": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6}
_SECONDS |= {"ns": 1e-9, "min": 60.0, "minute": 60.0}
_PREFIXES = {"": 1.0, "centi": 1e-2, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9}
_MICROMETRES |= {
    f"{prefix}{name}": factor * 1e6
    for prefix, factor in _PREFIXES.items()
    for name in ("meter", "metre")
}
_SECONDS |= {f"{prefix}second": factor for prefix, factor in _PREFIXES.items()}


def in_micrometres(unit: str) -> float | None:
    """Give the length of a unit in micrometres; None for an unknown one.

    Example:
        >>> in_micrometres("mm"), in_micrometres("micrometer"), in_micrometres("inch")
        (1000.0, 1.0, None)
    """
    return _find(_MICROMETRES, unit)


def in_seconds(unit: str) -> float | None:
    """Give the length of a unit in seconds; None for an unknown one.

    Example:
        >>> in_seconds("ms"), in_seconds("seconds"), in_seconds("frames")
        (0.001, 1.0, None)
    """
    return _find(_SECONDS, unit)


def _find(units: dict[str, float], unit: str) -> float | None:
    return units.get(unit, units.get(unit.removesuffix("s")))
