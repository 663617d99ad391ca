"""The lock of an output folder: one process at a time writes there."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from amseg_keras.outputs.files import OutputTakenError, remove, write_json

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
        """Whether this lock holds the folder."""
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
            keep: True to keep the unfinished run for the process that goes on with it.
        """
        assert self._lock is not None, "claim the folder before it is given back"
        (self.unfinished / _HOLDER).unlink(missing_ok=True)
        if not keep:
            self.empty()
            # The lock's file goes before the lock is released: whoever opened the file in
            # between sees that it is gone and makes a new one.
            (self.unfinished / _LOCK).unlink(missing_ok=True)
            for folder in (self.unfinished, *self._made):
                try:
                    folder.rmdir()
                except OSError:  # holds a result
                    break
        self._lock.release()
        self._lock = None

    def empty(self) -> None:
        """Delete the unfinished run, and nothing of the lock."""
        for path in self.unfinished.iterdir():
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
