"""A stack to which frames are added while it is read."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amseg_keras.read import Frames, FrameStack, ReadError


@dataclass(frozen=True)
class Arrival:
    """A frame that is there.

    Attributes:
        frame: Its number in the stack, from 0; of single files, in the order in which they came.
        file: Name of its file, where it has one of its own.
        seen: When it was first seen whole, by `time.monotonic`.
        written: When its file was written, by the clock of the file system; None where it shares
            the file with others.
        pixels: `(height, width)`, or why they cannot be read.
    """

    frame: int
    file: str | None
    seen: float
    written: float | None
    pixels: np.ndarray | ReadError


@dataclass(frozen=True)
class SeenFrame:
    """A frame as it was when it was labelled, by which a recording is known again.

    Attributes:
        frame: Number of the frame, as in `Arrival`.
        file: Name of its file, where it has one of its own.
        checksum: CRC-32 of its pixels.
    """

    frame: int
    file: str | None
    checksum: int


MOST_SEEN = 16
"""Frames by which a recording is known again."""


def checksum(pixels: np.ndarray) -> int:
    """Give the CRC-32 of the pixels of a frame."""
    return zlib.crc32(np.ascontiguousarray(pixels).tobytes())


@dataclass(frozen=True)
class HeldFrames:
    """A few frames in memory as a stack; asking for an unreadable one raises its `ReadError`.

    Args:
        held: The frames, or why they cannot be read.
        frame_shape: Height and width.
    """

    held: Sequence[np.ndarray | ReadError]
    frame_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width)."""
        return len(self.held), *self.frame_shape

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, index: int, /) -> np.ndarray:
        frame = self.held[index]
        if isinstance(frame, ReadError):
            raise frame
        return frame


class GrowingStack(ABC):
    """A stack that an acquisition is writing, or has written.

    Attributes:
        name: Short name, safe as a file name.
        source: What `amseg segment` would be given to read it.
        dtype: Of the frames.
        frame_shape: Height and width.
        pixel_size_um: As in `FrameStack`.
        frame_rate_hz: As in `FrameStack`.
        notes: As in `FrameStack`.
        closed: Whether all frames are there, as far as can be known.
        replaced: Whether another recording was written over it; then no frame comes any more.
        last_seen: When the last frame was seen, by `time.monotonic`.
    """

    name: str
    source: str
    dtype: np.dtype
    frame_shape: tuple[int, int]
    pixel_size_um: float | None
    frame_rate_hz: float | None
    notes: tuple[str, ...]
    closed: bool
    last_seen: float
    replaced: bool = False

    @property
    @abstractmethod
    def behind(self) -> int:
        """Frames that were seen and are not taken yet."""

    @property
    @abstractmethod
    def oldest_seen(self) -> float | None:
        """When the first of these was seen; None where there is none."""

    @abstractmethod
    def ready(self, most: int, now: float) -> list[Arrival]:
        """The next frames, so many at most; they stay ready until they are taken."""

    @abstractmethod
    def take(self, arrival: Arrival) -> None:
        """The frame is done."""

    @abstractmethod
    def skip(self, done: Sequence[tuple[int, str | None]]) -> None:
        """Number and file of the frames that an earlier run has done.

        Raises:
            ReadError: They are not there any more.
        """

    @abstractmethod
    def differs(self, seen: Sequence[SeenFrame]) -> bool:
        """Tell whether a frame holds other pixels than when it was labelled.

        Args:
            seen: Frames as they were; those that are not there any more are passed over.
        """

    @abstractmethod
    def whole(self) -> Frames:
        """All frames that were taken, in the order of the stack, to be read once more.

        Raises:
            ReadError: They were replaced or moved away.
        """

    def gap_notes(self) -> tuple[str, ...]:
        """Say which frames of the taken ones are missing, a sentence each."""
        return ()

    def close(self) -> None:  # noqa: B027 - nothing is open between the frames of a sequence
        """Release the files."""

    def _describe(self, stack: FrameStack) -> None:
        self.dtype, self.frame_shape = stack.dtype, stack.shape[1:]
        self.pixel_size_um, self.frame_rate_hz = stack.pixel_size_um, stack.frame_rate_hz
        self.notes = stack.notes
