"""A lazy stack of grey frames, whatever file it comes from."""

import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats import FrameReader
from amseg_keras.read.grey import plain_dtype


class Frames(Protocol):
    """Grey frames by index: a `FrameStack`, or an array ``(frames, height, width)``.

    What takes `Frames` reads one frame at a time, and so takes a stack of any length.

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


class FrameStack:
    """Grey frames read one at a time from an open file, folder or sequence.

    ``len(stack)`` is the number of frames and ``stack[i]`` frame `i`, counted from 0, negative
    from the end, as a new ``(height, width)`` array. Only the frame asked for is in memory (for
    compressed HDF5 its chunk too). One stack is for one thread.

    Attributes:
        name: Short name, safe as a file name.
        source: The file, folder or pattern as it was given.
        files: Every file that the frames are read from, in their order.
        dataset: Path inside an HDF5 file, if one was given.

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
        files: Sequence[Path] = (),
        dataset: str | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.files = (*files, *reader.linked_files)
        self.dataset = dataset
        self._reader = reader
        self._closed = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, height, width)."""
        info = self._reader.info
        return info.frames, info.height, info.width

    @property
    def dtype(self) -> np.dtype:
        """Dtype of every frame: that of the file in native byte order; bool becomes uint8."""
        return self._reader.info.dtype

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, None unless the file says it unambiguously."""
        return self._reader.info.pixel_size_um

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames per second of the recording (not of playback), None unless the file says it."""
        return self._reader.info.frame_rate_hz

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed on reading, for example that colour was turned to grey."""
        return self._reader.info.notes

    @property
    def frame_names(self) -> tuple[str, ...] | None:
        """File name of each frame, for a sequence of single files."""
        return self._reader.info.frame_names

    def __len__(self) -> int:
        return self._reader.info.frames

    def __getitem__(self, index: int) -> np.ndarray:
        """Read one frame.

        Args:
            index: 0 to ``len(stack) - 1``, or negative from the end.

        Returns:
            Array ``(height, width)`` of `dtype`, the caller's own.

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
        if frame.dtype.kind == "f":
            _check_finite(frame, where)
        return np.ascontiguousarray(frame, dtype=self.dtype)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def close(self) -> None:
        """Release the file. Frames already read stay valid."""
        if not self._closed:
            self._closed = True
            self._reader.close()

    def __enter__(self) -> "FrameStack":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FrameStack({self.source!r}, shape={self.shape}, dtype={self.dtype})"


def _check_finite(frame: np.ndarray, where: str) -> None:
    bad = frame.size - int(np.count_nonzero(np.isfinite(frame)))
    if bad:
        raise ReadError(
            f"{where} holds {bad} values that are NaN or infinite; replace them (for example by "
            "the median of their neighbours) and run again"
        )
