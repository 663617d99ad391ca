"""Open a foreign file in another process first, which is ended if it takes too long."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from amseg_keras.read.errors import ReadError
from amseg_keras.read.stack import AS_FOUND, ReadOptions

START_S = 120.0
"""Longest start of the other process in s, which imports the package first."""


class TimedReader:
    """Checks of files in a separate process, which is started once.

    Args:
        seconds: Time for opening the files and reading two frames of each stack.

    Example:
        >>> from amseg_keras.read.in_time import TimedReader
        >>> TimedReader(30).limit_s
        30
    """

    def __init__(self, seconds: float) -> None:
        self.limit_s = seconds
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def check(self, paths: Sequence[Path], options: ReadOptions = AS_FOUND) -> None:
        """Open the stacks of files, and read the first and the last frame of each.

        Errors that reading raises here too are not raised by this check.

        Args:
            paths: Files, as for `find_stacks`.
            options: Options, as of `find_stacks`.

        Raises:
            ReadError: The check takes longer than the limit, or a file ends the process.
        """
        with self._lock:
            connection = self._started()
            try:
                connection.send(([str(path) for path in paths], options))
                if connection.poll(self.limit_s):
                    connection.recv()
                    return
                why = f"cannot be opened within {self.limit_s:g} s"
            except (EOFError, OSError):
                why = "ends the program that reads it"
            self._end()
        raise ReadError(
            f"{Path(paths[0]).name}: {why}; it is damaged or made to do harm: export it again"
        )

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> Connection:
        if self._connection is None or self._process is None or not self._process.is_alive():
            self._end()
            # A forked process would share the threads' locks of this one.
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            if not self._connection.poll(START_S):
                raise ReadError("the process that checks files does not start; try again")
            self._connection.recv()
        return self._connection

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def _serve(connection: Connection) -> None:
    from amseg_keras.read.find import find_stacks

    connection.send("ready")
    while True:
        try:
            paths, options = connection.recv()
        except EOFError:
            return
        stacks, _ = find_stacks(paths, options)
        for source in stacks:
            try:
                with source.open() as stack:
                    for index in {0, len(stack) - 1}:
                        _ = stack[index]
            except ReadError:
                continue  # said where the file is read in earnest
        connection.send("done")
