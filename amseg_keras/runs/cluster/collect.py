"""Chunks sent to the workers, and their labels put into the stores as they come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from amseg_keras.outputs import LabelStore
from amseg_keras.runs.cluster.chunks import Chunk, ChunkLabels
from amseg_keras.runs.cluster.connect import ClusterError
from amseg_keras.runs.cluster.worker import ChunkTask, segment_chunk
from amseg_keras.runs.segment import keep

if TYPE_CHECKING:
    from distributed import Client, Future

RETRIES = 2
"""Times that a chunk is tried again after an error; a lost worker is no error of its chunk."""


class Collector:
    """Has chunks segmented and puts their labels into the store of their run.

    Only the client writes, so that a chunk which two workers have segmented, one of them taken for
    lost, is kept once, and the workers need not see the output folder.

    Args:
        client: Client of the workers.
        finished: Function that is told how many frames were in a chunk that is kept.
    """

    def __init__(self, client: Client, finished: Callable[[int], None]) -> None:
        self._client = client
        self._finished = finished
        self._places: dict[Any, tuple[LabelStore, Chunk]] = {}
        self._futures: dict[Any, Future[Any]] = {}
        self._kept: set[tuple[LabelStore, Chunk]] = set()
        self._failures: dict[LabelStore, str] = {}
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

    @property
    def waiting(self) -> int:
        """Number of chunks that were sent and have not come back."""
        with self._changed:
            return len(self._futures)

    def submit(self, store: LabelStore, tasks: Sequence[ChunkTask]) -> None:
        """Have chunks of one stack segmented.

        Args:
            store: Store that their labels go to.
            tasks: The chunks.
        """
        for task in tasks:
            future = self._client.submit(segment_chunk, task, pure=False, retries=RETRIES)
            with self._changed:
                self._places[future.key] = store, task.chunk
                self._futures[future.key] = future
            future.add_done_callback(self._collect)

    def wait(self, store: LabelStore, chunk: Chunk) -> None:
        """Wait until the labels of a chunk are in the store.

        Raises:
            ClusterError: The chunk cannot be segmented, or another one of its stack cannot.
        """
        with self._changed:
            self._changed.wait_for(lambda: (store, chunk) in self._kept or store in self._failures)
            if (store, chunk) not in self._kept:
                raise ClusterError(self._failures[store])

    def _collect(self, future: Future[Any]) -> None:
        with self._changed:
            if self._ended or future.key not in self._futures:
                return
            store, chunk = self._places.pop(future.key)
        failure = _kept_or_why_not(future, store, chunk)
        with self._changed:
            # Without a reference the cluster forgets the labels too.
            self._futures.pop(future.key, None)
            if failure is None:
                self._kept.add((store, chunk))
            elif not self._ended:
                self._failures.setdefault(store, failure)
            useless = [] if failure is None else self._taken_out(store)
            self._changed.notify_all()
        if useless:
            self._client.cancel(useless)
        if failure is None and not self._ended:
            self._finished(len(chunk))

    def _taken_out(self, store: LabelStore) -> list[Future[Any]]:
        """The futures of a stack that has failed."""
        keys = [key for key, (place, _) in self._places.items() if place is store]
        return [self._futures.pop(key) for key in keys if key in self._futures]


def _kept_or_why_not(future: Future[Any], store: LabelStore, chunk: Chunk) -> str | None:
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
        return str(found.reason)
    try:
        for frame in found.frames(chunk, (store.frame_shape[0], store.frame_shape[1])):
            keep(store, frame)
    except OSError as error:
        return f"{store.path}: cannot be written ({error.strerror or error})"
    return None
