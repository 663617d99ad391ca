"""One output folder of one run: claimed, resumed or refused, and finished with its record.

.unfinished/lock            held by the process that writes here; the lock ends with the process
.unfinished/holder.json     which process holds it, on which host, since when
.unfinished/identity.json   what the run is that writes here
.unfinished/frames          frames that are done, in a `LabelStore`, if the command can continue

The whole of `.unfinished` goes when the record has been written, which comes last. So a folder
with a record is complete, and one with `.unfinished` is not.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.outputs.files import (
    CannotWriteError,
    FolderLock,
    OutputFiles,
    OutputTakenError,
    read_record,
    remove,
    result_of_another,
    write_json,
)
from amseg_keras.outputs.identity import RESULT_FORMAT, InputContent, RunIdentity
from amseg_keras.outputs.label_store import LabelStore

IDENTITY = "identity.json"
"""File in `.unfinished` that says what the run is."""

_FRAMES = "frames"
_ENDS_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
_SAID_WITHOUT_NUMBER = re.compile(r"\d+ requested and \d+ written|No space left|errno = 28\b")

GO_ON = "the same command goes on where it stopped"
BEGIN_AGAIN = "the same command begins it again"


class OutputFolder:
    """The output folder of one run, held by one process at a time.

    `begin` tells whether the result is there already, and claims the folder if it is not. `finish`
    writes the record. Leaving the `with` block gives the folder back. A folder with a result that
    is kept is not touched, so it may be on a read-only disk.

    Args:
        path: Folder; it is made when it is claimed.
        overwrite: True to replace the result of another run.
        keeps_going: True if the command continues an unfinished run.

    Raises:
        OutputTakenError: In `begin`: the folder holds something else, or another process writes
            into it.
        CannotWriteError: On leaving: the disk is full, or a file cannot be written.

    Example:
        >>> import tempfile
        >>> files = OutputFiles("amseg example", "example.json", ["table.csv"])
        >>> identity = RunIdentity("scan.tif", None, {}, {"colour": "red"})
        >>> path = Path(tempfile.mkdtemp()) / "out"
        >>> with OutputFolder(path, files) as folder:
        ...     there = folder.begin(identity)
        ...     record = folder.finish({"rows": 3})
        >>> with OutputFolder(path, files) as folder:
        ...     folder.begin(identity)["rows"]
        3
    """

    def __init__(
        self, path: Path, files: OutputFiles, overwrite: bool = False, keeps_going: bool = False
    ) -> None:
        self.path = path
        self.files = files
        self.needed_bytes: int | None = None
        """Estimated size of the files in bytes, for the message if the disk is full."""
        self._overwrite = overwrite
        self._keeps_going = keeps_going
        self._lock = FolderLock(path, files.command)
        self._begun: dict[str, Any] | None = None
        self._finished = False
        self._store: LabelStore | None = None

    @property
    def record_path(self) -> Path:
        """Path of the record."""
        return self.path / self.files.record

    @property
    def unfinished(self) -> Path:
        """Folder of what is there only until the run is finished."""
        return self._lock.unfinished

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._store is not None:
            self._store.close()
        if self._begun is not None and not self._finished:
            self.remove_half_written()
            if isinstance(error, KeyboardInterrupt):
                how = GO_ON if self._keeps_going else BEGIN_AGAIN
                error.add_note(f"{self.path} is not finished; {how}")
        if self._lock.held:
            self._lock.give_back(keep=not self._finished and self._is_worth_keeping())
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            raise CannotWriteError(self.sentence(error)) from error

    def sentence(self, error: OSError) -> str:
        """Say why a file of the folder cannot be written, and what to do."""
        if error.errno not in _ENDS_OF_SPACE and not _SAID_WITHOUT_NUMBER.search(str(error)):
            return f"{self.path}: cannot be written ({error.strerror or error})"
        there = next(place for place in (self.path, *self.path.parents) if place.is_dir())
        free = shutil.disk_usage(there).free
        needed = "" if self.needed_bytes is None else f"about {_size(self.needed_bytes)} needed, "
        return (
            f"{self.path}: no space left on the disk: {needed}{_size(free)} free; make room and "
            "give the same command again"
        )

    def check(self, identity: RunIdentity, redo: bool = False) -> dict[str, Any] | None:
        """Claim the folder for a run and refuse what it must not replace; change no result.

        A run that is repeated calls this before its work and `begin` after it. So a run that
        fails leaves the earlier result as it is.

        Returns:
            The record if the result is there and is kept; None if the run may begin.

        Raises:
            OutputTakenError: The folder holds the result of another run, an unfinished run of
                another input, or files that this command did not write; or it is in use.
            CannotWriteError: The folder cannot be made or written to.
        """
        record = self._kept_record(identity, redo)
        if record is not None and not self.unfinished.exists():
            return record
        self.claim()
        # Another process may have finished or begun it in between.
        record = self._kept_record(identity, redo)
        if record is not None:
            self._lock.empty()  # a kill came between the record and the end
            return record
        self._check_input(identity)
        self._check_other_commands()
        if not self.record_path.exists():
            self._check_unfinished(identity)
        return None

    def begin(self, identity: RunIdentity, redo: bool = False) -> dict[str, Any] | None:
        """Make the folder ready for a run, unless its result is there.

        Returns:
            The record if the result is there and is kept; None if the run may begin.

        Raises:
            OutputTakenError, CannotWriteError: As `check`.
        """
        record = self.check(identity, redo)
        if record is not None:
            return record
        wanted = identity.as_json()
        there = read_record(self.unfinished / IDENTITY)
        goes_on = self._keeps_going and not self.record_path.exists()
        if not (goes_on and there is not None and identity.finds_the_same(there)):
            self._lock.empty()
        # From here on the folder is unfinished: without a record nothing in it is a result.
        write_json(self.unfinished / IDENTITY, wanted)
        if not (goes_on and there is not None and identity.difference(there) is None):
            self.record_path.unlink(missing_ok=True)
            self.remove_outputs()
        self.remove_half_written()
        self._begun = wanted
        return None

    def _kept_record(self, identity: RunIdentity, redo: bool) -> dict[str, Any] | None:
        """Return the record of a result that is kept, and refuse the result of another run."""
        record = read_record(self.record_path)
        if record is None or self._overwrite:
            return None
        difference = identity.difference(record)
        if difference is not None:
            raise OutputTakenError(_taken(self.path, record, difference))
        return None if redo else record

    def store(self, frame_shape: tuple[int, int], dtype: Any = np.uint8) -> LabelStore:
        """Open the frames that are done; they are kept until the run is finished."""
        if self._store is None:
            self._store = LabelStore(self.unfinished / _FRAMES, frame_shape, dtype)
        return self._store

    def finish(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write the record, after everything else has been written.

        Args:
            record: Entries of the record beside the identity of the run.

        Returns:
            The whole record.
        """
        assert self._begun is not None, "begin the run before it is finished"
        whole = {**self._begun, **record}
        write_json(self.record_path, whole)
        self.leave_nothing()
        return whole

    def remove_outputs(self) -> None:
        """Delete the files of this command that are there."""
        for name in self.files.names:
            for path in sorted(self.path.glob(name), reverse=True):
                remove(path)

    def forget_frames(self) -> None:
        """Delete the frames that are kept, and what the unfinished run has written of itself."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._lock.empty()

    def leave_nothing(self) -> None:
        """Delete `.unfinished` when the folder is released, because nothing can be continued."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._finished = True

    def claim(self) -> None:
        """Claim the folder for this process, as `begin` does by itself.

        Raises:
            OutputTakenError: Another process writes into the folder.
            CannotWriteError: The folder cannot be made or written to.
        """
        try:
            self._lock.claim()
        except OSError as error:
            raise CannotWriteError(self.sentence(error)) from error

    def _is_worth_keeping(self) -> bool:
        """Tell whether an unfinished run has left anything that the next run can continue."""
        if not (self.unfinished / IDENTITY).exists():
            return False
        frames = self.unfinished / _FRAMES
        if frames.exists() and frames.stat().st_size:
            return True
        return any(next(self.path.glob(name), None) for name in self.files.names)

    def _check_unfinished(self, identity: RunIdentity) -> None:
        """Refuse an unfinished run of another input, and files that amseg did not write."""
        there = read_record(self.unfinished / IDENTITY)
        if there is not None:
            if self._overwrite:
                return
            difference = identity.input_difference(there)
            if there.get("result_format") == RESULT_FORMAT and difference:
                raise OutputTakenError(
                    f"{self.path}: holds an unfinished run of {there.get('source')} "
                    f"({difference}); give another -o, or --overwrite to discard it"
                )
            return
        if any(self._wrote(name) for name in self.files.tables):
            return
        for name in self.files.names:
            if foreign := next(iter(self.path.glob(name)), None):
                raise OutputTakenError(
                    f"{self.path}: contains a {foreign.name} that {self.files.command} did not "
                    "write; give another -o"
                )

    def _check_input(self, identity: RunIdentity) -> None:
        """Refuse a folder in which the result would mix with the frames, or replace them."""
        if not isinstance(identity.input, InputContent):
            return
        source, here = Path(identity.input.path), Path(os.path.realpath(self.path))
        replaced = any(
            source.is_relative_to(os.path.realpath(path))
            for name in self.files.names
            for path in self.path.glob(name)
        )
        if replaced or (identity.input.files > 1 and source == here):
            raise OutputTakenError(
                f"{self.path}: {identity.source} would be replaced by its own result, or mix with "
                "it; give another -o"
            )

    def _wrote(self, table: str) -> bool:
        """Tell whether a table has the columns that this command writes."""
        try:
            with (self.path / table).open(encoding="utf-8") as file:
                header = file.readline().strip().split(",")
        except (OSError, UnicodeDecodeError):
            return False
        return set(self.files.tables[table]) <= set(header)

    def _check_other_commands(self) -> None:
        """Refuse a folder with the result of another command, whose files it might replace."""
        if (held := result_of_another(self.path, self.files.record)) is not None:
            raise OutputTakenError(f"{self.path}: {held}; give another -o")

    def remove_half_written(self) -> None:
        """Delete what a killed run had not written to its end; it may be as large as the stack."""
        for name in (*self.files.names, self.files.record):
            path = Path(name)
            ending = "*" if path.name == "*" else path.suffix
            for left in (self.path / path.parent).glob(f".{path.stem}-????????{ending}"):
                remove(left)
        for left in self.unfinished.glob(".*-????????.json"):
            remove(left)


def _taken(folder: Path, record: Mapping[str, Any], difference: str) -> str:
    made_from = ", ".join(str(record[key]) for key in ("source", "model") if key in record)
    return (
        f"{folder}: holds the result of another run ({made_from or 'unknown'}): {difference}; "
        "give another -o, or --overwrite to replace it"
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.2g} GB" if count >= 1e8 else f"{count / 1e6:.2g} MB"
