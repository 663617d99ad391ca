"""A lazy stack of grey frames from any file, and the options to read it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from amseg_keras.read.errors import ReadError, printable, reading
from amseg_keras.read.formats import FrameReader
from amseg_keras.read.names import cell_text
from amseg_keras.read.pixels import plain_dtype


@dataclass(frozen=True)
class ReadOptions:
    """Choose among the readings of a file or folder.

    Attributes:
        axes: Meaning of each axis of an array, such as ``"TYX"``: Y rows, X columns, S colour
            samples, any other letter frames. None leaves it to the file.
        sequence_by: Number in the file names that counts the frames: ``"first"``, ``"last"``, its
            position from 1, or the text in front of it (``"time"``). None finds it.
        separate: Every file is a stack of its own.
        join: Numbered files are one stack, even if each holds several frames or was given by
            itself.

    Example:
        >>> ReadOptions(axes="yxt").axes
        'YXT'
        >>> ReadOptions(separate=True, join=True)
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: files can be kept separate or joined, not both
    """

    axes: str | None = None
    sequence_by: str | None = None
    separate: bool = False
    join: bool = False

    def __post_init__(self) -> None:
        if self.separate and self.join:
            raise ReadError("files can be kept separate or joined, not both")
        if self.axes is None:
            return
        axes = self.axes.upper()
        wrong = not axes.isascii() or not axes.isalpha() or len(set(axes)) < len(axes)
        if wrong or not {"X", "Y"} <= set(axes):
            raise ReadError(
                f"--axes {self.axes}: give one letter for each axis, with Y for rows and X for "
                "columns once each, such as TYX or YXT"
            )
        object.__setattr__(self, "axes", axes)


AS_FOUND = ReadOptions()
"""Options that leave every choice to the files."""


_SMALLEST = 2
"""Least rows and columns of a frame, as in label files and movies."""


class Frames(Protocol):
    """Grey frames by index: a `FrameStack`, or an array ``(frames, height, width)``.

    Functions of `Frames` read one frame at a time, so that a stack may have any length.

    Example:
        >>> from amseg_keras.read import Frames, open_stack
        >>> def mean_grey(frames: Frames) -> list[float]:
        ...     return [round(float(frames[index].mean()), 1) for index in range(len(frames))]
        >>> mean_grey(np.array([[[1, 2]], [[3, 4]]], "uint16"))
        [1.5, 3.5]
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     len(mean_grey(stack))
        12
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


@dataclass(frozen=True)
class MadeOf:
    """The source of a stack, by which a run recognises it.

    Attributes:
        files: Every file that the frames are read from, in their order.
        dataset: Path inside an HDF5 file, if one was given.
        axes: Axes as the user named them, if they were named.
        options: Options of the user, which find the same stack again.
    """

    files: tuple[Path, ...]
    dataset: str | None = None
    axes: str | None = None
    options: ReadOptions = AS_FOUND


class FrameStack:
    """Grey frames read one at a time from an open file, folder or sequence.

    ``len(stack)`` is the number of frames and ``stack[i]`` frame `i`, counted from 0, negative
    from the end, as a new ``(height, width)`` array. Only the requested frame is in memory (for
    compressed HDF5 its chunk too). One stack is for one thread.

    Attributes:
        name: Short name, safe as a file name.
        source: The file, folder or pattern as it was given; bytes that are not UTF-8 as ``\\xe9``.
        made_of: Files that the frames are read from, and how they are read.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     print(stack.shape, stack.dtype, stack.pixel_size_um, stack[0].shape)
        (24, 256, 512) uint8 4.31 (256, 512)
    """

    def __init__(
        self,
        name: str,
        source: str,
        reader: FrameReader,
        notes: tuple[str, ...] = (),
        *,
        keep_nonfinite: bool = False,
        made_of: MadeOf | None = None,
    ) -> None:
        self.name = name
        self.source = printable(source)
        given = made_of or MadeOf(())
        self.made_of = replace(given, files=(*given.files, *reader.linked_files))
        self._reader = reader
        self._notes = notes
        self._keep_nonfinite = keep_nonfinite
        self._extremes: str | None = None
        self._closed = False
        if min(self.shape[1:]) < _SMALLEST:
            reader.close()
            size = " x ".join(map(str, self.shape[1:]))
            raise ReadError(
                f"{source}: holds frames of {size} pixels, which are no pictures; if its axes are "
                "others, name them: --axes"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, height, width)."""
        info = self._reader.info
        return info.frames, info.height, info.width

    @property
    def dtype(self) -> np.dtype:
        """Dtype of every frame: the file's dtype in native byte order; bool becomes uint8."""
        return self._reader.info.dtype

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres; None unless the file states it unambiguously."""
        return self._reader.info.pixel_size_um

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames per second of the recording, not of playback; None unless the file states it."""
        return self._reader.info.frame_rate_hz

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on assumptions, for example that colour was converted to grey.

        They also count the pixels of the first frame with the largest possible value, by which
        detectors mark dead pixels; for this the frame is read.
        """
        if self._extremes is None:
            self._extremes = self._say_extremes()
        said = (*self._notes, *self._reader.info.notes, self._extremes)
        return tuple(printable(note) for note in said if note)

    @property
    def is_inverted(self) -> bool:
        """True if the file says that 0 is white; frames are returned as stored."""
        return self._reader.info.is_inverted

    @property
    def frame_names(self) -> tuple[str, ...] | None:
        """File name of each frame, for a sequence of single files; empty for a missing frame."""
        names = self._reader.info.frame_names
        return None if names is None else tuple(cell_text(printable(name)) for name in names)

    def is_missing(self, index: int) -> bool:
        """Tell whether frame `index` of a sequence has no file. Reading it raises an error."""
        return self._reader.is_missing(index % len(self))

    def __len__(self) -> int:
        return self._reader.info.frames

    def __getitem__(self, index: int) -> np.ndarray:
        """Read one frame.

        Args:
            index: 0 to ``len(stack) - 1``, or negative from the end.

        Returns:
            New array ``(height, width)`` of `dtype`.

        Raises:
            IndexError: There is no such frame.
            ReadError: The frame is damaged, of another size or dtype than the stack, or holds NaN
                or infinities. Other frames can still be read.
        """
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.source}: there is no frame {index} among {len(self)}")
        if self._closed:
            raise ReadError(f"{self.source}: was closed; open it again to read from it")
        index %= len(self)
        where = self._reader.where(index)
        with reading(where, self._reader.kind):
            frame = self._reader.read(index)
        if frame.shape != self.shape[1:] or plain_dtype(frame.dtype, where) != self.dtype:
            found, stack = (" x ".join(map(str, size)) for size in (frame.shape, self.shape[1:]))
            raise ReadError(
                f"{where} is {found} {frame.dtype}, but the stack is {stack} {self.dtype}; "
                "save frames of one size and type in a file"
            )
        if frame.dtype.kind == "f" and not self._keep_nonfinite:
            _check_finite(frame, where)
        return np.ascontiguousarray(frame, dtype=self.dtype)

    def _say_extremes(self) -> str:
        if self._closed or self.dtype.kind != "u" or self.dtype.itemsize not in (2, 4):
            return ""
        try:
            frame = self[0]
        except ReadError:
            return ""
        highest = int(np.iinfo(self.dtype).max)
        count = int(np.count_nonzero(frame == highest))
        if not count:
            return ""
        return (
            f"{count} pixels of frame 0 are {highest}, dead or saturated; to replace the dead "
            "ones: amseg prepare --repair"
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def close(self) -> None:
        """Release the file. Frames already read stay valid."""
        if not self._closed:
            self._closed = True
            self._reader.close()

    def __enter__(self) -> FrameStack:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FrameStack({self.source!r}, shape={self.shape}, dtype={self.dtype})"


def _check_finite(frame: np.ndarray, where: str) -> None:
    bad = frame.size - int(np.count_nonzero(np.isfinite(frame)))
    if bad:
        raise ReadError(
            f"{where} holds {bad} values that are NaN or infinite; replace them by the median of "
            "their neighbours with: amseg prepare --repair"
        )
