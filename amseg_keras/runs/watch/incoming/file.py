"""A file that holds a stack, and may come to hold more of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import Frames, FrameStack, ReadError, StackSource
from amseg_keras.read.formats import holds_datasets
from amseg_keras.read.formats.hdf5 import GrowingHdf5Reader, Hdf5Reader, is_closed, is_growing
from amseg_keras.runs.watch.incoming.folder import SeenFile
from amseg_keras.runs.watch.incoming.growing import (
    MOST_SEEN,
    Arrival,
    GrowingStack,
    SeenFrame,
    checksum,
)
from amseg_keras.runs.watch.incoming.timing import Timing, can_be_read

_ANEW = "give another -o to segment it anew"


class GrowingFile(GrowingStack):
    """A file that holds the stack: read when it is closed or, in SWMR mode, while it is written.

    A file that has been changed since it was read through is opened again, and may hold more.

    Args:
        name: Of the stack.
        file: As it was seen.
        dataset: Path inside an HDF5 file; None finds it.
        timing: When files are taken.
        axes: Meaning of the axes of an array, if the user said it.

    Raises:
        ReadError: It cannot be read yet, or at all.
    """

    def __init__(
        self,
        name: str,
        file: SeenFile,
        dataset: str | None,
        timing: Timing,
        axes: str | None = None,
    ) -> None:
        self._axes = axes
        self.name, self.path = name, file.path
        self.source = str(file.path) if dataset is None else f"{file.path}::{dataset}"
        self.taken = 0
        self._dataset, self._timing, self._opened_as = dataset, timing, file
        self._complained_of: SeenFile | None = None
        self._seen: list[float] = []
        self._growing: GrowingHdf5Reader | None = None
        self._stack: FrameStack | None = self._open()
        self._taken_sums: dict[int, int] = {}

    def update(self, file: SeenFile, now: float) -> str | None:
        """Look for more frames.

        Returns:
            What the user should know of the file, one sentence.
        """
        try:
            if self._growing is not None:
                self._grow(file, now)
            elif file != self._opened_as and can_be_read(file, self._timing, now):
                self._open_again(file)
        except ReadError as error:
            if file.changed + self._timing.patience_s <= now and file != self._complained_of:
                self._complained_of = file
                return str(error)
        return None

    @property
    def behind(self) -> int:
        return 0 if self.replaced else len(self._seen) - self.taken

    @property
    def oldest_seen(self) -> float | None:
        return self._seen[self.taken] if self.behind else None

    def ready(self, most: int, now: float) -> list[Arrival]:
        found: list[Arrival] = []
        for frame in range(self.taken, min(self.taken + most, len(self._seen))):
            pixels = self._read(frame)
            if isinstance(pixels, ReadError) and self._seen[frame] + self._timing.patience_s > now:
                break
            found.append(Arrival(frame, None, self._seen[frame], None, pixels))
        return found

    def take(self, arrival: Arrival) -> None:
        self.taken = arrival.frame + 1
        if isinstance(arrival.pixels, np.ndarray):
            self._taken_sums[arrival.frame] = checksum(arrival.pixels)

    def skip(self, done: Sequence[tuple[int, str | None]]) -> None:
        if len(done) > len(self._seen):
            raise ReadError(
                f"{self.source}: holds {len(self._seen)} frames, fewer than the {len(done)} that "
                f"were labelled before; {_ANEW}"
            )
        self.taken = len(done)

    def differs(self, seen: Sequence[SeenFrame]) -> bool:
        for one in seen:
            if one.frame >= len(self._seen):
                return True
            pixels = self._read(one.frame)
            if isinstance(pixels, np.ndarray) and checksum(pixels) != one.checksum:
                return True
        return False

    def whole(self) -> Frames:
        if self.replaced:
            raise ReadError(f"{self.source}: was replaced by another recording")
        return self._opened()

    def close(self) -> None:
        if self._stack is not None:
            self._stack.close()
            self._stack = None

    def _opened(self) -> FrameStack:
        if self._stack is None:
            self._stack = self._open()
        return self._stack

    def _open(self) -> FrameStack:
        self._growing = None
        if holds_datasets(self.path):
            if is_growing(self.path):
                self._growing = GrowingHdf5Reader(self.path, self._dataset)
            reader = self._growing or Hdf5Reader(self.path, self._dataset, self._axes, swmr=True)
            stack = FrameStack(self.name, self.source, reader)
        else:
            stack = StackSource(self.name, self.source, (self.path,), axes=self._axes).open()
        self.closed = self._growing is None
        self._describe(stack)
        self._see(len(stack), self._opened_as.changed)
        return stack

    def _see(self, frames: int, now: float) -> None:
        if frames > len(self._seen):
            self._seen += [now] * (frames - len(self._seen))
            self.last_seen = now

    def _grow(self, file: SeenFile, now: float) -> None:
        # Asked before the frames are counted, so that none comes in between.
        at_end = is_closed(self.path)
        self._opened()
        if self._growing is not None:
            self._growing.refresh()
            self._see(self._growing.info.frames, now)
        if at_end and file.changed + self._timing.settle_s <= now:
            self._open_again(file)

    def _open_again(self, file: SeenFile) -> None:
        """Read a file that was changed; it may hold more frames, or another recording."""
        before = (self.dtype, self.frame_shape, self.notes)
        taken = [self._taken_sums_at(place) for place in spread(len(self._taken_sums), MOST_SEEN)]
        self.close()
        self._opened_as = file
        self._stack = self._open()
        if (self.dtype, self.frame_shape) != before[:2] or self.differs(taken):
            self.dtype, self.frame_shape, self.notes = before
            self.replaced = self.closed = True
            self.close()

    def _taken_sums_at(self, place: int) -> SeenFrame:
        frame = list(self._taken_sums)[place]
        return SeenFrame(frame, None, self._taken_sums[frame])

    def _read(self, frame: int) -> np.ndarray | ReadError:
        try:
            return self._opened()[frame]
        except ReadError as error:
            return error
        except IndexError:
            return ReadError(f"{self.source}: frame {frame} is no longer in the file")
