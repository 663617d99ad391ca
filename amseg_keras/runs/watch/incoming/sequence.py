"""Numbered files of one frame each, of which there are more and more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amseg_keras.read import Frames, FrameStack, ReadError, StackSource
from amseg_keras.read.errors import printable
from amseg_keras.read.group import find_slots, natural_order
from amseg_keras.read.names import cell_text
from amseg_keras.read.numbering import likely_column, numbered_name
from amseg_keras.runs.watch.incoming.folder import SeenFile
from amseg_keras.runs.watch.incoming.growing import Arrival, GrowingStack, SeenFrame, checksum
from amseg_keras.runs.watch.incoming.timing import Timing


class GrowingSequence(GrowingStack):
    """Numbered files of one frame each.

    Frames are taken in the order of their names as far as they are there; one that comes late is
    taken when it comes.

    Args:
        name: Of the stack.
        source: A pattern of its files.
        first: A file that can be read.
        timing: When files are taken.
        replaces: Sequence of the same names that this one is written over.
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
        """Whether the frame of a file is done."""
        return path in self._done

    def offer(self, files: Sequence[SeenFile]) -> None:
        """The files of the sequence that are there and not taken yet."""
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
        """Tell whether the first frame was written over by another recording's."""
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
        found: list[Arrival] = []
        for path, file in self._pending.items():
            if file.changed + self._timing.settle_s > now:
                continue
            pixels = self._read(path)
            if isinstance(pixels, ReadError) and file.changed + self._timing.patience_s > now:
                continue
            number = len(self.taken) + len(found)
            found.append(Arrival(number, self._name(path), file.changed, file.written, pixels))
            if len(found) == most:
                break
        return found

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
        # A name that is not UTF-8 stands otherwise in the table than on the disk.
        there = {self._name(path): path for path in (self._folder.iterdir() if done else ())}
        self.taken = [there.get(file, self._folder / file) for _, file in done if file is not None]
        self._done = set(self.taken)
        self._written = {path: path.stat().st_mtime for path in self.taken if path.is_file()}
        first = self._read(self.taken[0]) if self.taken else None
        self._first_sum = checksum(first) if isinstance(first, np.ndarray) else None
        self.offer(list(self._pending.values()))

    def differs(self, seen: Sequence[SeenFrame]) -> bool:
        for one in seen:
            if one.file is None or not (self._folder / one.file).is_file():
                continue
            pixels = self._read(self._folder / one.file)
            if isinstance(pixels, np.ndarray) and checksum(pixels) != one.checksum:
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
        """Name of a file as tables hold it."""
        name = cell_text(printable(path.name))
        self._named[name] = path
        return name

    def _read(self, path: Path) -> np.ndarray | ReadError:
        try:
            with _open_single(path) as stack:
                if (stack.dtype, stack.shape[1:]) != (self.dtype, self.frame_shape):
                    found, wanted = (
                        f"{height} x {width} {dtype}"
                        for (height, width), dtype in (
                            (stack.shape[1:], stack.dtype),
                            (self.frame_shape, self.dtype),
                        )
                    )
                    raise ReadError(
                        f"{path}: is {found}, but the first frame of the sequence is {wanted}; "
                        "write it into a folder of its own"
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
