"""Chunks sent to the workers, and their labels into files as they come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from amseg_keras.runs.cluster.chunks import Chunk, ChunkLabels, write_chunk
from amseg_keras.runs.cluster.connect import ClusterError
from amseg_keras.runs.cluster.worker import ChunkTask, segment_chunk

if TYPE_CHECKING:
    from distributed import Client, Future

RETRIES = 2
"""Times that a chunk is tried again after an error; a lost worker is no error of its chunk."""


class Collector:
    """Has chunks segmented and writes the labels of each to a file once they are there.

    Only the client writes, so that a chunk which two workers have segmented, one of them taken for
    lost, is written once, and the workers need not see the output folder.

    Args:
        client: Of the workers.
        finished: Told how many frames were in a chunk that is written.
    """

    def __init__(self, client: Client, finished: Callable[[int], None]) -> None:
        self._client = client
        self._finished = finished
        self._places: dict[Any, tuple[Path, Chunk]] = {}
        self._futures: dict[Any, Future] = {}
        self._written: set[tuple[Path, Chunk]] = set()
        self._failures: dict[Path, str] = {}
        self._ended = False
        self._changed = threading.Condition()

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ended = True
            left = list(self._futures.values())
            self._futures.clear()
        self._client.cancel(left)

    def submit(self, folder: Path, tasks: Sequence[ChunkTask]) -> None:
        """Have chunks of one stack segmented; their files go to `folder`."""
        for task in tasks:
            future = self._client.submit(segment_chunk, task, pure=False, retries=RETRIES)
            with self._changed:
                self._places[future.key] = folder, task.chunk
                self._futures[future.key] = future
            future.add_done_callback(self._collect)

    def wait(self, folder: Path, chunk: Chunk) -> None:
        """Wait until a chunk is written.

        Raises:
            ClusterError: It cannot be segmented, or another one of its folder cannot.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (folder, chunk) in self._written or folder in self._failures
            )
            if (folder, chunk) not in self._written:
                raise ClusterError(self._failures[folder])

    def _collect(self, future: Future) -> None:
        with self._changed:
            if self._ended or future.key not in self._futures:
                return
            folder, chunk = self._places.pop(future.key)
        failure = _written_or_why_not(future, folder, chunk)
        with self._changed:
            # Without a reference the cluster forgets the labels too.
            self._futures.pop(future.key, None)
            if failure is None:
                self._written.add((folder, chunk))
            elif not self._ended:
                self._failures.setdefault(folder, failure)
            useless = [] if failure is None else self._taken_out(folder)
            self._changed.notify_all()
        if useless:
            self._client.cancel(useless)
        if failure is None and not self._ended:
            self._finished(len(chunk))

    def _taken_out(self, folder: Path) -> list[Future]:
        """The futures of a stack that has failed."""
        keys = [key for key, (place, _) in self._places.items() if place == folder]
        return [self._futures.pop(key) for key in keys if key in self._futures]


def _written_or_why_not(future: Future, folder: Path, chunk: Chunk) -> str | None:
    where = f"frames {chunk.first} to {chunk.last - 1}"
    try:
        found = future.result()
    except BaseException as error:
        text = " ".join(str(error).split())[:200]
        return (
            f"{where} could not be segmented by the workers ({type(error).__name__}: {text}); "
            "give the same command again to go on"
        )
    if not isinstance(found, ChunkLabels):
        return found.reason
    try:
        write_chunk(folder, chunk, found)
    except OSError as error:
        return f"{folder}: cannot be written ({error.strerror or error})"
    return None
