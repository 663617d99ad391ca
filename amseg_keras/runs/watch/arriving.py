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
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.preprocess import BackgroundPolicy, Backgrounds, GreyRange, Inputs
from amseg_keras.preprocess.registration import Drift
from amseg_keras.read import Frames, FrameStack, ReadError
from amseg_keras.read.formats import holds_datasets, is_supported
from amseg_keras.read.formats.hdf5 import is_closed, is_growing
from amseg_keras.segment import Segmenter


@dataclass(frozen=True)
class SeenFile:
    """A file at the last look.

    Attributes:
        size: Size in bytes.
        written: Time of the last change by the clock of the file system, in s since 1970.
        changed: Time of our first look at this size and change, by `time.monotonic`.
    """

    path: Path
    size: int
    written: float
    changed: float


@dataclass
class WatchedFolder:
    """The frame files of a folder and its subfolders.

    Hidden files and folders, files that are no images, and links to folders are skipped.

    Args:
        results: Output folder, which is skipped if it is inside `folder`.
        files: Files at the last look, by their paths.
    """

    folder: Path
    results: Path
    files: dict[str, SeenFile] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def look(self, now: float) -> None:
        """Look at all files; `now` is the time of `time.monotonic`."""
        there: dict[str, SeenFile] = {}
        folder = os.path.abspath(self.folder)
        for entry in _files_below(folder, self._skipped(), self._done):
            try:
                status = entry.stat()
            except OSError:  # moved away since it was listed
                continue
            seen = self.files.get(entry.path)
            size, written = status.st_size, status.st_mtime
            if seen is None or (seen.size, seen.written) != (size, written):
                seen = SeenFile(Path(entry.path), size, written, now)
            there[entry.path] = seen
        self.files = there

    def forget(self, path: Path) -> None:
        """Skip a file from now on, because its frame is done."""
        self._done.add(str(path))
        self.files.pop(str(path), None)

    def remember(self, paths: Iterable[Path]) -> None:
        """Look at forgotten files again, because another recording overwrites them."""
        self._done.difference_update(map(str, paths))

    def _skipped(self) -> str | None:
        folder, results = self.folder.resolve(), self.results.resolve()
        if not results.is_relative_to(folder):
            return None
        return os.path.join(os.path.abspath(self.folder), results.relative_to(folder))


def _files_below(folder: str, skipped: str | None, done: set[str]) -> Iterator[os.DirEntry[str]]:
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:  # deleted since it was listed, or out of reach at the moment
            continue
        for entry in entries:
            # Most files of a long acquisition are done: they must cost next to nothing.
            if entry.path in done or entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if is_folder:
                if entry.path != skipped:
                    pending.append(entry.path)
            elif is_supported(Path(entry.name)):
                yield entry


@dataclass(frozen=True)
class Timing:
    """Times that decide when a file is read.

    Attributes:
        settle_s: Time in s without a change after which a file counts as complete.
        patience_s: Time in s for which an unreadable file or frame counts as unfinished.
    """

    settle_s: float = 0.5
    patience_s: float = 30.0


def can_be_read(file: SeenFile, timing: Timing, now: float) -> bool:
    """Tell whether a file is complete, or its writer allows others to read meanwhile.

    Raises:
        ReadError: The file cannot be opened.
    """
    quiet = file.changed + timing.settle_s <= now
    if not holds_datasets(file.path):
        return quiet
    return is_growing(file.path) or (quiet and is_closed(file.path))


def wall_time(moment: float) -> float:
    """Convert a time of `time.monotonic` to seconds since 1970."""
    return time.time() - (time.monotonic() - moment)


@dataclass(frozen=True)
class Arrival:
    """A frame that can be labelled.

    Attributes:
        frame: Number of the frame from 0; single files are numbered as they come.
        file: Name of the frame's own file; None if frames share a file.
        seen: Time of the first look at the whole frame, by `time.monotonic`.
        written: Time at which its own file was written, by the clock of the file system, or None.
        pixels: Grey levels `(height, width)`, or the error of reading them.
    """

    frame: int
    file: str | None
    seen: float
    written: float | None
    pixels: np.ndarray | ReadError


@dataclass(frozen=True)
class SeenFrame:
    """A frame that was labelled, by which a recording is recognised.

    Attributes:
        frame: Number of the frame, as in `Arrival`.
        file: Name of the frame's own file, or None.
        checksum: CRC-32 of the pixels.
    """

    frame: int
    file: str | None
    checksum: int


MOST_SEEN = 16
"""Number of frames by which a recording is recognised."""


def checksum(pixels: np.ndarray) -> int:
    """Return the CRC-32 of the pixels of a frame."""
    return zlib.crc32(np.ascontiguousarray(pixels).tobytes())


@dataclass(frozen=True)
class HeldFrames:
    """A few frames in memory as a stack.

    Args:
        held: Grey levels of each frame, or the `ReadError` that reading the frame raises.
        frame_shape: Height and width in pixels.
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
        source: Input of `amseg segment` that reads the stack.
        frame_shape: Height and width in pixels.
        notes: Notes of the first `FrameStack`, as its pixel size and frame rate.
        closed: Whether no more frames are expected.
        replaced: Whether another recording overwrote the stack; then no more frames come.
        last_seen: Time of the last new frame, by `time.monotonic`.
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
        """Number of frames that were seen and are not done."""

    @property
    @abstractmethod
    def oldest_seen(self) -> float | None:
        """Time at which the first frame that is not done was seen, or None."""

    @abstractmethod
    def ready(self, most: int, now: float) -> list[Arrival]:
        """Return up to `most` next frames; they stay ready until `take` marks them as done."""

    @abstractmethod
    def take(self, arrival: Arrival) -> None:
        """Mark a frame as done."""

    @abstractmethod
    def skip(self, done: Sequence[tuple[int, str | None]]) -> None:
        """Skip the frames of an earlier watch, given by number and file.

        Raises:
            ReadError: The stack lacks some of these frames.
        """

    @abstractmethod
    def differs(self, seen: Sequence[SeenFrame]) -> bool:
        """Tell whether the pixels of a labelled frame have changed; missing frames are skipped."""

    @abstractmethod
    def whole(self) -> Frames:
        """Open all frames that are done, in the order of the stack.

        Raises:
            ReadError: The frames were replaced or moved.
        """

    def gap_notes(self) -> tuple[str, ...]:
        """Return a sentence for each gap between the frames that are done."""
        return ()

    def close(self) -> None:  # noqa: B027 - nothing is open between the frames of a sequence
        """Release the files."""

    def _describe(self, stack: FrameStack) -> None:
        self.dtype, self.frame_shape = stack.dtype, stack.shape[1:]
        self.pixel_size_um, self.frame_rate_hz = stack.pixel_size_um, stack.frame_rate_hz
        self.notes = stack.notes


REMEMBERED = 64
"""Number of frames kept in memory for the background."""


class LiveInputs:
    """Inputs of the frames of a growing stack, compared with the frames before them.

    Args:
        scale: Factor by which frames are enlarged.
        whole: Function that opens all frames that are done.
    """

    def __init__(
        self, segmenter: Segmenter, grey_range: GreyRange, scale: float, whole: Callable[[], Frames]
    ) -> None:
        self._segmenter, self._grey_range, self._scale = segmenter, grey_range, scale
        self._taken = _TakenFrames(whole)
        self._backgrounds = BackgroundPolicy("so-far").of_stack(self._taken)

    def of(self, arrivals: Sequence[Arrival], frame_shape: tuple[int, int]) -> Inputs:
        """Make the inputs of arrived frames."""
        held = HeldFrames([arrival.pixels for arrival in arrivals], frame_shape)
        channels = self._segmenter.channels
        if not channels.has_motion:
            return Inputs(held, channels, self._grey_range, scale=self._scale)
        for arrival in arrivals:
            if isinstance(arrival.pixels, np.ndarray):
                self._taken.remember(arrival.frame, arrival.pixels)
        numbers = [arrival.frame for arrival in arrivals]
        backgrounds = _OfArrivals(self._backgrounds, held, numbers)
        return Inputs(held, channels, self._grey_range, backgrounds, self._scale)

    def record(self) -> dict[str, Any]:
        """Describe channels, background and scale for the record."""
        channels = self._segmenter.channels
        about: dict[str, Any] = {"channels": list(channels.names), "scale": self._scale}
        return about | ({"background": "so-far"} if channels.has_motion else {})


class _TakenFrames:
    """The arrived frames of a stack: the last ones in memory, the others in their files."""

    shape: tuple[int, ...] = (0, 0, 0)

    def __init__(self, whole: Callable[[], Frames]) -> None:
        self._whole = whole
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int, /) -> np.ndarray:
        kept = self._kept.get(index)
        return self._whole()[index] if kept is None else kept

    def remember(self, index: int, frame: np.ndarray) -> None:
        self._kept[index] = frame
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


class _OfArrivals(Backgrounds):
    """Backgrounds of a few frames, by their places among these frames."""

    kind = "so-far"
    drift: Drift | None = None

    def __init__(self, whole: Backgrounds, held: HeldFrames, numbers: Sequence[int]) -> None:
        super().__init__(whole.policy, held)
        self._whole_stack, self._numbers = whole, numbers

    def of(self, index: int) -> np.ndarray | None:
        return self._whole_stack.of(self._numbers[index])
