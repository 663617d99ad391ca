"""Name the files of an output folder, write them whole, and lock the folder for one process."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from amseg_keras.atomic import complete_or_absent


class OutputError(ValueError):
    """A result cannot be put into its output folder; the message says why and what to do.

    Example:
        >>> issubclass(OutputTakenError, OutputError)
        True
    """


class OutputTakenError(OutputError):
    """The output folder holds something else, or is in use; nothing in it was touched.

    Example:
        >>> import tempfile
        >>> from amseg_keras.preprocess import Median, Stretch
        >>> from amseg_keras.read import open_stack
        >>> from amseg_keras.runs import prepare_stack
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as raw:
        ...     done = prepare_stack(raw, [Stretch()], folder)
        ...     try:
        ...         prepare_stack(raw, [Stretch(), Median(3)], folder)
        ...     except OutputTakenError as error:
        ...         print(str(error).partition(": ")[2].partition(" (")[0])
        holds the result of another run
    """


class CannotWriteError(OutputError):
    """A file of the output folder cannot be written; the message says why and what to do."""


@dataclass(frozen=True)
class OutputFiles:
    """Names of the files that a command writes into its output folder.

    Attributes:
        command: Command as the user types it, `"amseg quantify"`.
        record: Name of the file that is written last.
        names: Names of the other files and folders; `*` and `?` stand for characters.
        tables: Columns of each table that no other command writes together, by its name.
    """

    command: str
    record: str
    names: Sequence[str]
    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)


RECORDS = {
    "run.json": "amseg segment, watch or train",
    "prepare.json": "amseg prepare",
    "explain.json": "amseg explain",
    "quantities.json": "amseg quantify",
    "evaluation.json": "amseg evaluate",
    "correlation.json": "amseg correlate",
    "dataset.json": "a data set",
}
"""Records by which the result of another command is known, so that nothing writes over it."""


def result_of_another(folder: Path, record: str) -> str | None:
    """Say whether a folder holds the result of another command.

    Args:
        folder: Folder to write into; it may be missing.
        record: Name of the record of the command that wants to write.

    Returns:
        Phrase that names the other command and its record; None if the folder is free.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "prepare.json").write_text("{}")
        2
        >>> result_of_another(folder, "dataset.json")
        'holds the result of amseg prepare (prepare.json)'
        >>> result_of_another(folder, "prepare.json") is None
        True
    """
    for name, command in RECORDS.items():
        if name != record and (folder / name).is_file():
            return f"holds the result of {command} ({name})"
    return None


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record; None if there is none, empty if it is damaged."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON, whole or not at all."""
    with complete_or_absent(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


UNFINISHED = ".unfinished"
"""Folder in an output folder, for what is there only until the run is finished."""

_HOLDER, _LOCK = "holder.json", "lock"
_ATTEMPTS = 1000


class FolderLock:
    """The lock of an output folder, which ends with the process that holds it.

    Args:
        folder: Output folder; it is made when it is claimed.
        command: Command as the user types it, for the message to other processes.

    Attributes:
        unfinished: Folder in it that is there only until the run is finished.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.unfinished = folder / UNFINISHED
        self._folder = folder
        self._command = command
        self._lock: FileLock | None = None
        self._made: tuple[Path, ...] = ()

    @property
    def held(self) -> bool:
        """True if this lock holds the folder."""
        return self._lock is not None

    def claim(self) -> None:
        """Hold the folder from now on; nothing happens if this lock holds it already.

        Raises:
            OutputTakenError: Another process writes into the folder.
            OSError: The folder cannot be made or written to.
        """
        if self._lock is not None:
            return
        self._made = () if self._folder.exists() else (self._folder,)
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self.unfinished.mkdir(parents=True, exist_ok=True)
                lock = FileLock(self.unfinished / _LOCK, timeout=0)
                lock.acquire()
            except Timeout:
                raise OutputTakenError(self._in_use()) from None
            except (FileNotFoundError, FileExistsError, NotADirectoryError):
                # Another process may have given the folder back, and removed it, in between.
                if attempts_left == 0 or (self._folder.exists() and not self._folder.is_dir()):
                    raise
            else:
                break
        self._lock = lock
        holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": self._command,
        }
        write_json(self.unfinished / _HOLDER, holder)

    def give_back(self, keep: bool) -> None:
        """Let other processes write into the folder.

        Args:
            keep: True to keep the unfinished run for the process that continues it.
        """
        assert self._lock is not None, "claim the folder before it is given back"
        (self.unfinished / _HOLDER).unlink(missing_ok=True)
        if not keep:
            self.empty()
            # The lock's file goes before the lock is released: a process that opened the file in
            # between sees that it is gone and makes a new one.
            (self.unfinished / _LOCK).unlink(missing_ok=True)
            for folder in (self.unfinished, *self._made):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    continue
                except OSError:  # holds a result
                    break
        self._lock.release()
        self._lock = None

    def empty(self) -> None:
        """Delete the unfinished run, and nothing of the lock.

        The folder may be gone: whoever cleans up the output folder by hand may be faster.
        """
        try:
            there = list(self.unfinished.iterdir())
        except FileNotFoundError:
            return
        for path in there:
            if path.name not in (_LOCK, _HOLDER):
                remove(path)

    def _in_use(self) -> str:
        try:
            holder = json.loads((self.unfinished / _HOLDER).read_text("utf-8"))
            since = datetime.fromisoformat(holder["since"])
            today = since.date() == datetime.now(since.tzinfo).date()
            when = since.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
            who = f"process {holder['pid']} on {holder['host']} since {when} ({holder['command']})"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        return f"{self._folder}: is in use by {who}; wait until it ends, or give another -o"
