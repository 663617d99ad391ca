"""Segment many stacks with many processes, of this machine or of many, through dask.distributed.

Every stack gets the output folder that one process would make for it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amseg_keras.backend import usable_cores
from amseg_keras.outputs import LabelStore, OutputError, OutputFolder
from amseg_keras.read import ReadError, StackSource
from amseg_keras.runs.cluster_worker import (
    Chunk,
    ChunkLabels,
    ChunkTask,
    NetworkSpec,
    chunks_of,
    segment_chunk,
)
from amseg_keras.runs.segment import (
    BATCHES_AHEAD,
    OUTPUTS,
    BegunRun,
    RunSettings,
    begin_run,
    complete_run,
    keep,
)
from amseg_keras.runs.streams import ReadAhead
from amseg_keras.segment import LabelledFrame, Segmenter

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = [
    "ClusterError",
    "ClusterJob",
    "NetworkSpec",
    "StackResult",
    "connected",
    "segment_on_cluster",
    "threads_of_each",
]

CONNECT_S = 20
"""Longest wait for a scheduler in s."""


class ClusterError(ValueError):
    """Error of missing or failing workers; the message says what to do."""


@contextmanager
def connected(workers: int | None = None, scheduler: str | None = None) -> Iterator[Client]:
    """Start workers on this machine, or use the workers of a scheduler.

    Args:
        workers: Number of processes to start on this machine; they end with the block.
        scheduler: Address of a running scheduler instead, such as `tcp://host:8786`.

    Yields:
        Client of the workers, whose open tasks are cancelled at the end.

    Raises:
        ClusterError: dask.distributed is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ClusterError(
            "more than one process needs dask.distributed: pip install 'amseg-keras[cluster]'"
        ) from error
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{scheduler}: no dask scheduler answers there ({type(error).__name__}); start one "
                "with: dask scheduler"
            ) from error
        with client:
            yield client
        return
    # Ctrl-C reaches the workers too; they must end quietly, with the block.
    with _interrupts_ignored():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            # No part of a network could be moved to disk.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes that start in the block ignore Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def threads_of_each(workers: int) -> int:
    """Return the number of threads for each worker on this machine.

    Example:
        >>> threads_of_each(10_000)
        1
    """
    return max(1, usable_cores() // workers)


RETRIES = 2
"""Repetitions of a chunk after an error; the loss of its worker does not count."""


class Collector:
    """Send chunks to the workers, and put their labels into the stores of the runs.

    Only the client writes. So a chunk that two workers segmented is kept once, and the workers
    need no access to the output folder.

    Args:
        finished: Function of the number of frames in each chunk that is kept.
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

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._ended = True
            left = list(self._futures.values())
            self._futures.clear()
        self._client.cancel(left)

    @property
    def waiting(self) -> int:
        """Number of chunks that the workers have not returned."""
        with self._changed:
            return len(self._futures)

    def submit(self, store: LabelStore, tasks: Sequence[ChunkTask]) -> None:
        """Send chunks of one stack, whose labels go to its store."""
        for task in tasks:
            future = self._client.submit(segment_chunk, task, pure=False, retries=RETRIES)
            with self._changed:
                self._places[future.key] = store, task.chunk
                self._futures[future.key] = future
            future.add_done_callback(self._collect)

    def wait(self, store: LabelStore, chunk: Chunk) -> None:
        """Wait until the labels of a chunk are in the store.

        Raises:
            ClusterError: This chunk or another chunk of the stack cannot be segmented.
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
        failure = _keep_labels(future, store, chunk)
        with self._changed:
            # Without a reference the cluster releases the labels.
            self._futures.pop(future.key, None)
            if failure is None:
                self._kept.add((store, chunk))
            elif not self._ended:
                self._failures.setdefault(store, failure)
            useless = [] if failure is None else self._forget(store)
            self._changed.notify_all()
        if useless:
            self._client.cancel(useless)
        if failure is None and not self._ended:
            self._finished(len(chunk))

    def _forget(self, store: LabelStore) -> list[Future[Any]]:
        """Forget the chunks of a failed stack, and return their futures."""
        keys = [key for key, (place, _) in self._places.items() if place is store]
        return [self._futures.pop(key) for key in keys if key in self._futures]


def _keep_labels(future: Future[Any], store: LabelStore, chunk: Chunk) -> str | None:
    """Put the labels of a chunk into its store; return a sentence if that failed."""
    where = f"frames {chunk.first} to {chunk.last - 1}"
    try:
        result = future.result()
    except BaseException as error:
        text = " ".join(str(error).split())[:200]
        return (
            f"{where} could not be segmented by the workers ({type(error).__name__}: {text}); "
            "give the same command again to continue"
        )
    if not isinstance(result, ChunkLabels):
        return str(result.reason)
    try:
        for frame in result.frames(chunk, (store.frame_shape[0], store.frame_shape[1])):
            keep(store, frame)
    except OSError as error:
        return f"{store.path}: cannot be written ({error.strerror or error})"
    return None


MOST_BEGUN = 100
"""Most stacks whose output folders are claimed at once, so that open files do not run out."""

MOST_WAITING = 1000
"""Most chunks at the workers; below this number the next stack begins."""

Progress = Callable[[int, int], None]
"""Function of the number of segmented frames, and of the frames of all begun stacks."""


@dataclass(frozen=True)
class ClusterJob:
    """Work on every stack.

    Args:
        segmenter: The same network, for its description; it segments nothing.
        out: Folder of the output folders, which have the names of the stacks.
    """

    network: NetworkSpec
    segmenter: Segmenter
    out: Path
    settings: RunSettings


@dataclass(frozen=True)
class StackResult:
    """Result of a stack: its record, as in `run.json`, or a sentence about an error."""

    source: StackSource
    record: dict[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Begun:
    """A stack whose chunks were sent; without a run the stack has ended already."""

    result: StackResult
    run: BegunRun | None = None
    chunks: tuple[Chunk, ...] = ()
    frames: int = 0


def segment_on_cluster(
    client: Client,
    sources: Sequence[StackSource],
    job: ClusterJob,
    progress: Progress = lambda done, frames: None,
) -> Iterator[StackResult]:
    """Segment stacks with all workers of a client, with the same labels as in one process.

    Chunks of many stacks are sent at once. The labels of each chunk are kept when they return, so
    that other workers replace lost ones, and a killed client continues with the missing chunks.
    This process writes the files of the stacks, as `run_stack` does.

    Yields:
        Result of each stack, in their order.
    """
    tally = _Tally(progress)
    with ExitStack() as claimed, Collector(client, tally.add_done) as collector:
        coming = iter(sources)
        begun: deque[tuple[_Begun, ExitStack]] = deque()
        while True:
            while len(begun) < MOST_BEGUN and (not begun or collector.waiting < MOST_WAITING):
                source = next(coming, None)
                if source is None:
                    break
                own = claimed.enter_context(ExitStack())
                begun.append((_submit(source, job, collector, tally, own), own))
            if not begun:
                return
            one, own = begun.popleft()
            with own:
                yield one.result if one.run is None else _complete(one, job, collector)


class _Tally:
    """Count of the frames of all stacks."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = self._frames = 0

    def add_frames(self, count: int) -> None:
        self._frames += count

    def add_done(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._frames)


def _submit(
    source: StackSource, job: ClusterJob, collector: Collector, tally: _Tally, own: ExitStack
) -> _Begun:
    """Begin a stack and send its chunks; `own` releases its folder."""
    one = _begin(source, job, own)
    tally.add_frames(one.frames)
    tally.add_done(one.frames - sum(map(len, one.chunks)))
    if one.run is not None:
        tasks = [_task(one.run, source, job, chunk) for chunk in one.chunks]
        collector.submit(one.run.store, tasks)
    return one


def _begin(source: StackSource, job: ClusterJob, own: ExitStack) -> _Begun:
    out = OutputFolder(job.out / source.name, OUTPUTS, job.settings.overwrite, keeps_going=True)
    try:
        with source.open() as stack:
            own.enter_context(out)
            digest = job.network.weights_sha256
            begun = begin_run(stack, job.segmenter, digest, out, job.settings)
            frames = len(stack)
    except (ReadError, OutputError) as error:
        return _Begun(StackResult(source, error=str(error)))
    except OSError as error:
        return _Begun(StackResult(source, error=out.sentence(error)))
    if isinstance(begun, BegunRun):
        chunks = tuple(chunks_of(begun.missing, begun.batch_size))
        return _Begun(StackResult(source), begun, chunks, frames)
    return _Begun(StackResult(source, record=begun), frames=frames)


def _task(run: BegunRun, source: StackSource, job: ClusterJob, chunk: Chunk) -> ChunkTask:
    # Workers have other working directories.
    files = tuple(Path(os.path.abspath(file)) for file in source.files)
    about = run.about
    return ChunkTask(
        source=replace(source, files=files),
        shape=about.shape,
        network=job.network,
        grey_range=about.grey_range,
        background=job.settings.background,
        scale=run.inputs.scale,
        batch_size=run.batch_size,
        chunk=chunk,
    )


def _complete(one: _Begun, job: ClusterJob, collector: Collector) -> StackResult:
    assert one.run is not None
    source, run = one.result.source, one.run
    try:
        with source.open() as stack:
            run.inputs.reading(stack).load()
            ahead = BATCHES_AHEAD * run.batch_size
            with ReadAhead(stack, sorted(run.about.drawn), ahead) as frames:
                coming = _in_order(one, collector)
                record = complete_run(stack, run, frames, coming, lambda done: None)
    except (ReadError, ClusterError) as error:
        return StackResult(source, error=str(error))
    except OSError as error:
        return StackResult(source, error=run.out.sentence(error))
    return StackResult(source, record=record)


def _in_order(one: _Begun, collector: Collector) -> Iterator[LabelledFrame]:
    assert one.run is not None
    store = one.run.store
    for chunk in one.chunks:
        collector.wait(store, chunk)
        for index in range(chunk.first, chunk.last):
            yield LabelledFrame(index, store.read(index), error=store.about(index).get("error"))
