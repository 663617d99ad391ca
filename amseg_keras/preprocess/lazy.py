"""Compute stacks frame by frame, on request."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from amseg_keras.read import Frames, ReadError


class LazyFrames(ABC):
    """A stack made from another stack, `frames`; only requested frames are computed.

    Lazy stacks are `Frames` themselves, so that they chain, and a stack of any length goes through
    a chain of them with the memory of a few frames. Frame `k` depends on its number and its
    neighbours alone, never on the order of requests. If the file cannot be
    read, asking for the frame raises the file's `ReadError`; the other frames are still there.

    Attributes:
        frames: The stack below.
        shape: (frames, height, width).
        measured: Values that were measured on the whole stack, for the record of a run.

    Example:
        A step of your own, from transmission to absorbance:

        >>> class Absorbance(LazyFrames):
        ...     def compute(self, index):
        ...         return -np.log(np.asarray(self.frames[index], np.float32))
        >>> absorbance = Absorbance(np.full((100, 2, 3), 0.5))
        >>> absorbance.shape, absorbance[-1][0].round(2)
        ((100, 2, 3), array([0.69, 0.69, 0.69], dtype=float32))
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.shape: tuple[int, ...] = (len(frames), *frames.shape[1:])
        self.measured: dict[str, Any] = {}

    @abstractmethod
    def compute(self, index: int) -> np.ndarray:
        """Compute frame `index`, float32 `(height, width)`; 0 <= index < len(self)."""

    def positions(self, index: int) -> dict[str, float]:
        """Return where frame `index` was moved to or cut from, by the column of the table."""
        return {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no frame {index} among {len(self)}")
        return self.compute(index % len(self))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))


class EachFrame(LazyFrames):
    """A function of one frame, applied to each.

    Example:
        >>> doubled = EachFrame(np.ones((5, 2, 3), "uint16"), lambda frame: 2 * frame)
        >>> doubled[3].max(), doubled.shape
        (np.float32(2.0), (5, 2, 3))
    """

    def __init__(self, frames: Frames, function: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(frames)
        self.function = function

    def compute(self, index: int) -> np.ndarray:
        return self.function(np.asarray(self.frames[index], np.float32))


class WindowCache:
    """The frames around a moving window, so that each is read once as the window moves on.

    Args:
        frames: stack `(frames, height, width)`.
        dtype: dtype of the returned frames, by default float32; `None` for their own.
    """

    def __init__(self, frames: Frames, dtype: type | None = np.float32) -> None:
        self.frames = frames
        self._dtype = dtype
        self._kept: dict[int, np.ndarray | ReadError] = {}

    def read(self, indices: Sequence[int]) -> list[np.ndarray | ReadError]:
        """Read frames `(height, width)`, which must not be changed, or the reasons why they fail.

        What lies before the first and after the last of them is forgotten.
        """
        span = range(min(indices), max(indices) + 1)
        self._kept = {index: frame for index, frame in self._kept.items() if index in span}
        for index in indices:
            if index not in self._kept:
                try:
                    self._kept[index] = np.asarray(self.frames[index], self._dtype)
                except ReadError as error:
                    self._kept[index] = error
        return [self._kept[index] for index in indices]


def spread(count: int, most: int) -> list[int]:
    """Choose at most `most` of the indices of `count` frames, evenly, with first and last.

    Example:
        >>> spread(100, 4)
        [0, 33, 66, 99]
    """
    return sorted({int(index) for index in np.linspace(0, count - 1, min(count, most))})


def readable(frames: Frames, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frames that can be read, each with its index.

    Raises:
        ReadError: None of the frames can be read; raised after the last.
    """
    first_error: ReadError | None = None
    any_read = False
    for index in indices:
        try:
            frame = frames[index]
        except ReadError as error:
            first_error = first_error or error
            continue
        any_read = True
        yield index, frame
    if not any_read and first_error is not None:
        raise first_error
