"""Watch a folder: find its stacks, and segment them while an acquisition writes them.

Each stack gets an output folder. live.csv grows with the stack; when the stack is complete, the
files of `amseg segment` are written beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from amseg_keras.outputs import OutputError, OutputFiles, OutputFolder
from amseg_keras.read import ReadError, ReadOptions, StackSource
from amseg_keras.read.formats import holds_datasets, may_be_single
from amseg_keras.read.formats.hdf5 import is_growing
from amseg_keras.read.group import natural_order
from amseg_keras.read.in_time import TimedReader
from amseg_keras.read.names import safe_name
from amseg_keras.read.numbering import likely_column, numbered_name
from amseg_keras.runs.watch.arriving import (
    GrowingStack,
    SeenFile,
    Timing,
    WatchedFolder,
    can_be_read,
)
from amseg_keras.runs.watch.growing_stacks import GrowingFile, GrowingSequence
from amseg_keras.runs.watch.live_stack import LiveStack, folder_for
from amseg_keras.runs.watch.settings import Event, Network, Problem, WatchSettings, Written

OPENING_S = 60.0
"""Longest time to open a file in s; then the watch continues without it."""

_TIMED = TimedReader(OPENING_S)

SequenceKey = tuple[Path, str, str, str]
"""Folder, text before and after the number, and extension: equal for frames of a sequence."""


class Discovery:
    """Find the stacks in the files of a watched folder, by the rules of `read`.

    A numbered file with one frame begins a sequence, even before a second frame comes. The name
    of a stack depends on its first file alone.

    Args:
        dataset: Path inside HDF5 files; None finds it.
        reading: Choices of the user for files that can be read in two ways.

    Attributes:
        is_waiting: Whether a file is unfinished, or unreadable and not given up yet.
    """

    def __init__(
        self,
        folder: Path,
        dataset: str | None,
        timing: Timing,
        reading: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    ) -> None:
        self._reading = reading
        self.is_waiting = False
        self._folder, self._dataset, self._timing = Path(folder).absolute(), dataset, timing
        self._sequences: dict[SequenceKey, GrowingSequence] = {}
        self._files: dict[Path, GrowingFile] = {}
        self._replaced: dict[SequenceKey, GrowingSequence] = {}
        self._given_up: dict[Path, SeenFile] = {}
        self._still_open: set[Path] = set()
        self._problems: list[str] = []

    def look(self, folder: WatchedFolder, now: float) -> list[GrowingStack]:
        """Pass files on to their stacks, and return new stacks."""
        new: list[GrowingStack] = []
        self._let_replaced_go(folder)
        members: dict[SequenceKey, list[SeenFile]] = {key: [] for key in self._sequences}
        undecided: list[SeenFile] = []
        for file in list(folder.files.values()):
            if file.path in self._files:
                note = self._files[file.path].update(file, now)
                self._problems += [] if note is None else [note]
                if not self._files[file.path].replaced:
                    continue
                del self._files[file.path]
            key = self._key(file.path)
            sequence = None if key is None else self._sequences.get(key)
            if key is None or sequence is None:
                undecided.append(file)
            elif sequence.has_done(file.path):
                folder.forget(file.path)
            else:
                members[key].append(file)
        self.is_waiting = False
        self._still_open.clear()
        for file in sorted(undecided, key=lambda file: natural_order(file.path)):
            key = self._key(file.path)
            if key not in members and self._given_up.get(file.path) != file:
                new += self._decide(file, key, now)
            if key in self._sequences:
                members.setdefault(key, []).append(file)
        for key, files in members.items():
            self._sequences[key].offer(files)
        return new

    def _key(self, path: Path) -> SequenceKey | None:
        if self._reading.separate:
            return None
        return sequence_key(path, self._reading.sequence_by)

    def problems(self) -> list[str]:
        """Return a sentence for each problem since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def still_open(self) -> list[str]:
        """Return a sentence for each file that was not read because its writer has it open."""
        return [
            f"{path}: was not read, since its writer has it open; start again when it is closed"
            for path in sorted(self._still_open)
        ]

    def _let_replaced_go(self, folder: WatchedFolder) -> None:
        """Forget sequences whose first frame was overwritten, so that they are found again."""
        for key, sequence in list(self._sequences.items()):
            if sequence.look_for_another():
                folder.remember(sequence.files)
                self._replaced[key] = self._sequences.pop(key)

    def _decide(
        self, file: SeenFile, key: SequenceKey | None, now: float
    ) -> Sequence[GrowingStack]:
        try:
            if not can_be_read(file, self._timing, now):
                self._wait(file, now)
                return ()
            if not holds_datasets(file.path):  # a file that is being written may not be locked
                _TIMED.check([file.path], self._reading)
            if key is not None and _holds_one_frame(file.path):
                name, source = self._name(file.path, key[1]), _pattern(key)
                self._sequences[key] = GrowingSequence(
                    name, source, file.path, self._timing, self._replaced.get(key)
                )
                return (self._sequences[key],)
            name = self._name(file.path, file.path.stem)
            self._files[file.path] = GrowingFile(
                name, file, self._dataset, self._timing, self._reading.axes
            )
            return (self._files[file.path],)
        except ReadError as error:
            if self._is_unborn(file.path):
                self._still_open.add(file.path)
            elif file.changed + self._timing.patience_s > now:
                self.is_waiting = True
            else:
                self._given_up[file.path] = file
                self._problems.append(str(error))
            return ()

    def _wait(self, file: SeenFile, now: float) -> None:
        if file.changed + self._timing.settle_s > now:
            self.is_waiting = True
        else:
            self._still_open.add(file.path)

    def _is_unborn(self, path: Path) -> bool:
        """Tell whether a file is written in SWMR mode and has no frame yet."""
        try:
            return holds_datasets(path) and is_growing(path)
        except ReadError:
            return False

    def _name(self, path: Path, name: str) -> str:
        below = path.parent.relative_to(self._folder).parts
        parts = [*below, *filter(None, [name.strip("._- ")])]
        return safe_name("_".join(parts) or self._folder.name)


@lru_cache(1 << 14)
def sequence_key(path: Path, by: str | None = None) -> SequenceKey | None:
    """Return what the files of a sequence have in common; None for a file of no sequence.

    Example:
        >>> sequence_key(Path("scan/a_007.tif"))
        (PosixPath('scan'), 'a_', '', '.tif')
        >>> sequence_key(Path("scan/img_000000012_Default_000.tif"))
        (PosixPath('scan'), 'img_', '_Default_000', '.tif')
    """
    name = numbered_name(path)
    column = likely_column(name, by)
    if column is None or not may_be_single(path):
        return None
    start, end = name.spans[column]
    return path.parent, path.stem[:start], path.stem[end:], path.suffix


def _pattern(key: SequenceKey) -> str:
    folder, before, behind, suffix = key
    return str(folder / f"{before}*{behind}{suffix}")


def _holds_one_frame(path: Path) -> bool:
    with StackSource(path.stem, str(path), (path,)).open() as stack:
        return len(stack) == 1


ALONE = OutputFiles("amseg watch", "watch.json", ())
"""Claim of the output folder; there is no record of all stacks together."""

_PAUSE_OF_LOOK = 4
"""Shortest pause between two looks at the folder, as a multiple of the duration of a look."""


def watch(
    folder: Path, out: Path, network: Network, settings: WatchSettings, stop: threading.Event
) -> Iterator[Event]:
    """Watch a folder and its subfolders, and label and measure new frames.

    Frames are labelled in the order in which they come, and none is skipped; if they come faster
    than the network labels them, the events say how many wait. A stack is complete when its file
    is closed, or after `settings.complete_s` without a new frame; later frames reopen it. A watch
    that is started again continues with the new frames.

    The grey levels of a growing stack are measured on its first frames, at most 16. The grey
    levels of a file that is complete from the start are measured on all of it, as in
    `amseg segment`.

    Args:
        out: Output folder; it may be in `folder`, but not the other way round.
        stop: Event that ends the watch after the files of all stacks are written.

    Yields:
        Events as they happen.

    Raises:
        ReadError: There is no such folder, or the results would be taken for frames.
        OutputTakenError: Another watch writes into `out`.
        CannotWriteError: The output folder cannot be made.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from amseg_keras.segment import from_pretrained
        >>> place = Path(tempfile.mkdtemp())
        >>> np.save(place / "scan.npy", np.zeros((2, 32, 48), np.uint16))
        >>> network = Network(from_pretrained("amsegnet-esrf"), "0123")
        >>> settings = WatchSettings(until_idle_s=0.1)
        >>> for event in watch(place, place / "out", network, settings, threading.Event()):
        ...     print(type(event).__name__, event.stack)
        Turn scan
        Written scan
        >>> sorted(path.name for path in (place / "out" / "scan").iterdir())
        ['frames.csv', 'labels.tif', 'live.csv', 'overlay.mp4', 'run.json']
    """
    check_folders(folder, out)
    return _Watch(folder, out, network, settings).run_alone(stop)


def check_folders(folder: Path, out: Path) -> None:
    """Refuse a folder that cannot be watched, as `watch` does.

    Raises:
        ReadError: There is no such folder, or it is in the output folder.

    Example:
        >>> check_folders(Path("no_such_folder"), Path("out"))
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: no_such_folder: no such folder; check the path, or make
        it first
    """
    if not folder.is_dir():
        raise ReadError(f"{folder}: no such folder; check the path, or make it first")
    if folder.resolve().is_relative_to(out.resolve()):
        raise ReadError(f"{folder}: is in the output folder {out}; give another -o")


class _Watch:
    """A running watch; see `watch`."""

    def __init__(self, folder: Path, out: Path, network: Network, settings: WatchSettings) -> None:
        self._folder = WatchedFolder(folder, out)
        self._discovery = Discovery(folder, settings.dataset, settings.timing, settings.reading)
        self._out, self._network, self._settings = out, network, settings
        self._stacks: list[LiveStack] = []
        self._last_event = time.monotonic()
        self._look_s = 0.0

    def run_alone(self, stop: threading.Event) -> Iterator[Event]:
        """Watch with the output folder claimed: two watches would do every stack twice."""
        with OutputFolder(self._out, ALONE) as claimed:
            claimed.claim()
            try:
                yield from self._run(stop)
            finally:
                for stack in self._stacks:
                    stack.close()

    def _run(self, stop: threading.Event) -> Iterator[Event]:
        while not stop.is_set():
            busy = False
            for event in self._round(stop):
                busy, self._last_event = True, time.monotonic()
                yield event
            if busy:
                continue
            # When no frame waits, because writing the files takes a while.
            complete = self._next_complete()
            if complete is not None:
                yield self._finish(complete)
            elif self._is_idle():
                break
            else:
                stop.wait(self._pause_s())
        for stack in list(self._stacks):
            if stack.done and not stack.is_written:
                yield self._finish(stack)
        stuck = (stack.stuck for stack in self._stacks if stack.stuck is not None)
        for text in (*stuck, *self._discovery.still_open()):
            yield Problem(text)

    def _round(self, stop: threading.Event) -> Iterator[Event]:
        """Look at the folder once, and give every stack a turn."""
        now = time.monotonic()
        self._folder.look(now)
        self._look_s = time.monotonic() - now
        for source in self._discovery.look(self._folder, now):
            problem = self._start(source)
            if problem is not None:
                yield problem
        for text in self._discovery.problems():
            yield Problem(text)
        for stack in list(self._stacks):
            if stop.is_set():
                return
            try:
                turn = stack.turn()
            except (ReadError, OSError) as error:
                yield self._drop(stack, error)
                continue
            if turn is not None:
                yield turn

    def _start(self, source: GrowingStack) -> Problem | None:
        in_use = {stack.folder.name.casefold() for stack in self._stacks}
        try:
            place = folder_for(source, self._out, in_use)
            self._stacks.append(LiveStack(source, place, self._network, self._settings))
        except (OutputError, ReadError, OSError) as error:
            source.close()
            if isinstance(error, OSError):
                return Problem(OutputFolder(self._out / source.name, ALONE).sentence(error))
            return Problem(str(error))
        return None

    def _pause_s(self) -> float:
        """Return the pause until the next look, which is longer for a folder of many files."""
        wanted = min(self._settings.poll_s, self._settings.timing.settle_s / 2)
        return max(wanted, _PAUSE_OF_LOOK * self._look_s)

    def _next_complete(self) -> LiveStack | None:
        for stack in self._stacks:
            if stack.done and not stack.is_written and stack.is_complete(time.monotonic()):
                return stack
        return None

    def _finish(self, stack: LiveStack) -> Event:
        try:
            stack.finish()
        except (ReadError, OSError) as error:
            return self._drop(stack, error)
        return Written(stack.folder.name, stack.done, stack.folder, stack.notes)

    def _drop(self, stack: LiveStack, error: Exception) -> Problem:
        """Continue without a stack; the frames that are done are kept for another start."""
        self._stacks.remove(stack)
        text = stack.out.sentence(error) if isinstance(error, OSError) else str(error)
        stack.close()
        return Problem(text)

    def _is_idle(self) -> bool:
        if self._settings.until_idle_s is None or self._discovery.is_waiting:
            return False
        if any(stack.source.behind and not stack.stuck for stack in self._stacks):
            return False
        changed = (file.changed for file in self._folder.files.values())
        last = max([self._last_event, *changed, *(s.source.last_seen for s in self._stacks)])
        return last + self._settings.until_idle_s <= time.monotonic()
