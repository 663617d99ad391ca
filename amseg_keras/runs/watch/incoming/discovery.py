"""Which stacks the files of a watched folder are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from amseg_keras.read import ReadError, ReadOptions, StackSource
from amseg_keras.read.formats import holds_datasets, may_be_single
from amseg_keras.read.formats.hdf5 import is_growing
from amseg_keras.read.group import natural_order
from amseg_keras.read.in_time import TimedReader
from amseg_keras.read.names import safe_name
from amseg_keras.read.numbering import likely_column, numbered_name
from amseg_keras.runs.watch.incoming.file import GrowingFile
from amseg_keras.runs.watch.incoming.folder import SeenFile, WatchedFolder
from amseg_keras.runs.watch.incoming.growing import GrowingStack
from amseg_keras.runs.watch.incoming.sequence import GrowingSequence
from amseg_keras.runs.watch.incoming.timing import Timing, can_be_read

OPENING_S = 60.0
"""A file that takes longer to open is given up, so that the others go on."""

_TIMED = TimedReader(OPENING_S)

SequenceKey = tuple[Path, str, str, str]
"""Folder, what is before and behind the number, and extension: equal for frames of a sequence."""


class Discovery:
    """From files to growing stacks, by the rules of `read`.

    A numbered file begins a sequence if it holds one frame; it is one even if no other frame has
    come yet. Names of stacks depend on the file alone, not on what comes later.

    Args:
        folder: That is watched.
        dataset: Path inside HDF5 files; None finds it.
        timing: When files are taken.
        reading: What the user said of files that can be read in two ways.

    Attributes:
        is_waiting: Whether a file is unfinished, or cannot be read and is not given up yet.
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
        """Tell the stacks of their files; the stacks that are new."""
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
        """What has gone wrong since it was asked last, a sentence each."""
        problems, self._problems = self._problems, []
        return problems

    def still_open(self) -> list[str]:
        """Files that were not read since their writer has not closed them, a sentence each."""
        return [
            f"{path}: was not read, since its writer has it open; start again when it is closed"
            for path in sorted(self._still_open)
        ]

    def _let_replaced_go(self, folder: WatchedFolder) -> None:
        """Look at sequences anew whose first frame was written over."""
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
            if not holds_datasets(file.path):  # no lock may be taken on one that is written
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
        """Whether it is being written in SWMR mode and has no frame yet."""
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
    """What a file has in common with the frames of its sequence; None if it cannot be one.

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
