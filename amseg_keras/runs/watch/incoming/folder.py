"""What is in a folder that is being written to, and what of it has come to rest.

The folder is looked through again and again. A notification by the system (inotify) would come
sooner, but it does not come at all for files that another machine writes over NFS or GPFS, and
that is how detectors write. For the same reason a file counts as at rest by our own clock, when
its size and time have been seen unchanged for a while: clocks of file servers differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from amseg_keras.read.formats import is_supported


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
            if before is None or (before.size, before.written) != (
                status.st_size,
                status.st_mtime,
            ):
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
