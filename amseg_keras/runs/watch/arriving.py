"""Find the files of a watched folder, and describe stacks that grow while they are read.

The folder is looked through again and again. A notification by the system (inotify) would come
sooner, but it does not come for files that another machine writes over NFS or GPFS, as detectors
do. A file counts as at rest when our own clock has seen its size and time unchanged for a while,
because clocks of file servers differ.
"""

from __future__ import annotations

import os
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amseg_keras.read import Frames, FrameStack, ReadError
from amseg_keras.read.formats import holds_datasets, is_supported
from amseg_keras.read.formats.hdf5 import is_closed, is_growing


@dataclass(frozen=True)
class SeenFile:
    """A file as it was last seen.

    Attributes:
        path: Of the file.
        size: In bytes.
        written: When it was last written, by the clock of its file system, in s since 1970.
        changed: When it was first seen as it is now, by our own `time.monotonic`.
    """

    path: Path
    size: int
    written: float
    changed: float


@dataclass
class WatchedFolder:
    """The frame files of a folder and its subfolders.

    Hidden files and folders, files that are no images, and links to folders are passed over.

    Args:
        folder: The folder.
        results: A folder that is not looked into where it is inside the first one.
        files: What was there at the last look, by its path.
    """

    folder: Path
    results: Path
    files: dict[str, SeenFile] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def look(self, now: float) -> None:
        """See what is there; `now` is the time of `time.monotonic`."""
        there: dict[str, SeenFile] = {}
        folder = os.path.abspath(self.folder)
        for entry in _files_below(folder, self._passed_over(), self._done):
            try:
                status = entry.stat()
            except OSError:  # moved away since it was listed
                continue
            before = self.files.get(entry.path)
            if before is None or (before.size, before.written) != (status.st_size, status.st_mtime):
                path = Path(entry.path)
                before = SeenFile(path, status.st_size, status.st_mtime, now)
            there[entry.path] = before
        self.files = there

    def forget(self, path: Path) -> None:
        """Do not look at a file again: its frame is done."""
        self._done.add(str(path))
        self.files.pop(str(path), None)

    def remember(self, paths: Iterable[Path]) -> None:
        """Look again at files that were to be forgotten: another recording writes over them."""
        self._done.difference_update(map(str, paths))

    def _passed_over(self) -> str | None:
        folder, results = self.folder.resolve(), self.results.resolve()
        if not results.is_relative_to(folder):
            return None
        return os.path.join(os.path.abspath(self.folder), results.relative_to(folder))


def _files_below(
    folder: str, passed_over: str | None, done: set[str]
) -> Iterator[os.DirEntry[str]]:
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:  # gone since it was listed, or not to be reached at the moment
            continue
        for entry in entries:
            # Most of a long acquisition is done: it must cost next to nothing.
            if entry.path in done or entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if is_folder:
                if entry.path != passed_over:
                    pending.append(entry.path)
            elif is_supported(Path(entry.name)):
                yield entry


@dataclass(frozen=True)
class Timing:
    """When a file is taken.

    Attributes:
        settle_s: It has been unchanged for so long.
        patience_s: So long is a file or frame that cannot be read taken for unfinished.
    """

    settle_s: float = 0.5
    patience_s: float = 30.0


def can_be_read(file: SeenFile, timing: Timing, now: float) -> bool:
    """Whether a file has come to rest, or its writer lets others read meanwhile.

    Raises:
        ReadError: It cannot be opened.
    """
    quiet = file.changed + timing.settle_s <= now
    if not holds_datasets(file.path):
        return quiet
    return is_growing(file.path) or (quiet and is_closed(file.path))


def wall_time(moment: float) -> float:
    """Seconds since 1970 of a moment of `time.monotonic`."""
    return time.time() - (time.monotonic() - moment)


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
