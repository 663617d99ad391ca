"""Read the stacks of an acquisition that is running: a file that grows, and numbered files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import Frames, FrameStack, ReadError, StackSource
from amseg_keras.read.errors import printable
from amseg_keras.read.formats import holds_datasets
from amseg_keras.read.formats.hdf5 import GrowingHdf5Reader, Hdf5Reader, is_closed, is_growing
from amseg_keras.read.group import find_slots, natural_order
from amseg_keras.read.names import cell_text
from amseg_keras.read.numbering import likely_column, numbered_name
from amseg_keras.runs.watch.arriving import (
    MOST_SEEN,
    Arrival,
    GrowingStack,
    SeenFile,
    SeenFrame,
    Timing,
    can_be_read,
    checksum,
)

_ANEW = "give another -o to segment it anew"


class GrowingFile(GrowingStack):
    """A stack in one file, read when the file is closed or, in SWMR mode, while it is written.

    If a closed file changes later, it is opened again and may hold more frames.

    Args:
        dataset: Path inside an HDF5 file; None finds it.
        timing: Times that decide when the file is read.
        axes: Meaning of the axes of an array, if the user gave it.

    Raises:
        ReadError: The file cannot be read yet, or at all.
    """

    def __init__(
        self, name: str, file: SeenFile, dataset: str | None, timing: Timing, axes: str | None
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
        """Look for more frames, and return a sentence for the user or None."""
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
        arrivals: list[Arrival] = []
        for frame in range(self.taken, min(self.taken + most, len(self._seen))):
            pixels = self._read(frame)
            if isinstance(pixels, ReadError) and self._seen[frame] + self._timing.patience_s > now:
                break
            arrivals.append(Arrival(frame, None, self._seen[frame], None, pixels))
        return arrivals

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
        for frame in seen:
            if frame.frame >= len(self._seen):
                return True
            pixels = self._read(frame.frame)
            if isinstance(pixels, np.ndarray) and checksum(pixels) != frame.checksum:
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
        # Before the frames are counted, so that none comes in between.
        at_end = is_closed(self.path)
        self._opened()
        if self._growing is not None:
            self._growing.refresh()
            self._see(self._growing.info.frames, now)
        if at_end and file.changed + self._timing.settle_s <= now:
            self._open_again(file)

    def _open_again(self, file: SeenFile) -> None:
        """Open a changed file, which may hold more frames or another recording."""
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


class GrowingSequence(GrowingStack):
    """A stack of numbered files with one frame each.

    Frames are read in the order of their names; a late frame is read when it comes.

    Args:
        timing: Times that decide when a file is read.
        replaces: Sequence of the same names that this one overwrites.
    """

    closed = False

    def __init__(
        self,
        name: str,
        source: str,
        first: Path,
        timing: Timing,
        replaces: GrowingSequence | None = None,
    ) -> None:
        self.name, self.source = name, printable(source)
        self.taken: list[Path] = []
        self.last_seen = 0.0
        self._folder, self._timing = first.parent, timing
        self._pending: dict[Path, SeenFile] = {}
        self._done: set[Path] = set()
        self._written: dict[Path, float] = {}
        self._first_sum: int | None = None
        self._older: dict[Path, float] = {}
        if replaces is not None:
            self._older = {**replaces._older, **replaces._written}
        self._named: dict[str, Path] = {}
        with _open_single(first) as stack:
            self._describe(stack)

    def has_done(self, path: Path) -> bool:
        """Tell whether the frame of a file is done."""
        return path in self._done

    def offer(self, files: Sequence[SeenFile]) -> None:
        """Take note of the files of the sequence; files that are done are skipped."""
        waiting = {
            file.path: file
            for file in files
            if file.path not in self._done and self._older.get(file.path) != file.written
        }
        self._pending = {path: waiting[path] for path in sorted(waiting, key=natural_order)}
        self.last_seen = max([self.last_seen, *(file.changed for file in self._pending.values())])

    @property
    def files(self) -> list[Path]:
        """Files whose frames are done."""
        return list(self._done)

    def look_for_another(self) -> bool:
        """Tell whether another recording overwrote the first frame."""
        if self._first_sum is None or self.replaced:
            return self.replaced
        first = self.taken[0]
        try:
            written = first.stat().st_mtime
        except OSError:  # moved away
            return False
        if written == self._written.get(first):
            return False
        pixels = self._read(first)
        if isinstance(pixels, ReadError) or checksum(pixels) == self._first_sum:
            return False
        self.replaced = self.closed = True
        self._pending.clear()
        return True

    @property
    def behind(self) -> int:
        return len(self._pending)

    @property
    def oldest_seen(self) -> float | None:
        return min((file.changed for file in self._pending.values()), default=None)

    def ready(self, most: int, now: float) -> list[Arrival]:
        arrivals: list[Arrival] = []
        for path, file in self._pending.items():
            if file.changed + self._timing.settle_s > now:
                continue
            pixels = self._read(path)
            if isinstance(pixels, ReadError) and file.changed + self._timing.patience_s > now:
                continue
            number = len(self.taken) + len(arrivals)
            arrivals.append(Arrival(number, self._name(path), file.changed, file.written, pixels))
            if len(arrivals) == most:
                break
        return arrivals

    def take(self, arrival: Arrival) -> None:
        assert arrival.file is not None
        path = self._named.get(arrival.file, self._folder / arrival.file)
        if isinstance(arrival.pixels, np.ndarray) and not self.taken:
            self._first_sum = checksum(arrival.pixels)
        if arrival.written is not None:
            self._written[path] = arrival.written
        self.taken.append(path)
        self._done.add(path)
        self._pending.pop(path, None)

    def skip(self, done: Sequence[tuple[int, str | None]]) -> None:
        # The table holds another spelling of names that are not UTF-8.
        there = {self._name(path): path for path in (self._folder.iterdir() if done else ())}
        self.taken = [there.get(file, self._folder / file) for _, file in done if file is not None]
        self._done = set(self.taken)
        self._written = {path: path.stat().st_mtime for path in self.taken if path.is_file()}
        first = self._read(self.taken[0]) if self.taken else None
        self._first_sum = checksum(first) if isinstance(first, np.ndarray) else None
        self.offer(list(self._pending.values()))

    def differs(self, seen: Sequence[SeenFrame]) -> bool:
        for frame in seen:
            if frame.file is None or not (self._folder / frame.file).is_file():
                continue
            pixels = self._read(self._folder / frame.file)
            if isinstance(pixels, np.ndarray) and checksum(pixels) != frame.checksum:
                return True
        return False

    def whole(self) -> Frames:
        if self.replaced:
            raise ReadError(f"{self.source}: was replaced by another recording")
        files = tuple(sorted(self.taken, key=natural_order))
        return StackSource(self.name, self.source, files).open()

    def gap_notes(self) -> tuple[str, ...]:
        names = [numbered_name(path) for path in self.taken]
        columns = [likely_column(name) for name in names]
        numbers = [
            name.numbers[at] for name, at in zip(names, columns, strict=True) if at is not None
        ]
        return tuple(
            f"{note}; the labels follow each other without a gap, so later times are too early: "
            "amseg segment of the folder keeps the gaps"
            if "missing" in note
            else note
            for note in find_slots(sorted(numbers)).notes
        )

    def _name(self, path: Path) -> str:
        """Return the name of a file as tables hold it."""
        name = cell_text(printable(path.name))
        self._named[name] = path
        return name

    def _read(self, path: Path) -> np.ndarray | ReadError:
        try:
            with _open_single(path) as stack:
                if (stack.dtype, stack.shape[1:]) != (self.dtype, self.frame_shape):
                    here, wanted = stack.shape[1:], self.frame_shape
                    raise ReadError(
                        f"{path}: is {here[0]} x {here[1]} {stack.dtype}, but the first frame of "
                        f"the sequence is {wanted[0]} x {wanted[1]} {self.dtype}; write it into a "
                        "folder of its own"
                    )
                return stack[0]
        except ReadError as error:
            return error


def _open_single(path: Path) -> FrameStack:
    stack = StackSource(path.stem, str(path), (path,)).open()
    if len(stack) != 1:
        stack.close()
        raise ReadError(
            f"{path}: holds {len(stack)} frames where the sequence has one a file; write it into a "
            "folder of its own"
        )
    return stack
