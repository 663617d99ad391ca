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
"""Seconds in which a scheduler must answer."""


class ClusterError(ValueError):
    """Workers that cannot be had, or that cannot do their work; the message says what to do."""


@contextmanager
def connected(workers: int | None = None, scheduler: str | None = None) -> Iterator[Client]:
    """Start workers on this machine, or use those of a scheduler.

    Args:
        workers: Number of processes to start here; they end with the block.
        scheduler: Address of a running scheduler in place of them, `tcp://host:8786`.

    Yields:
        The client. What it was asked to do and has not done is cancelled at the end.

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
    # Ctrl-C reaches the workers too, who would each say so; they are to end with the block.
    with _interrupts_ignored():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            # A network is as large as it is; there is nothing that could be moved to disk.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started inside never learn of Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def threads_of_each(workers: int) -> int:
    """Threads for each of so many workers on this machine.

    Example:
        >>> threads_of_each(10_000)
        1
    """
    return max(1, usable_cores() // workers)


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

    def __exit__(self, *error: object) -> None:
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
        """Have chunks of one stack segmented."""
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


MOST_BEGUN = 100
"""Stacks whose output folders are claimed at once, so that files do not run out."""

MOST_WAITING = 1000
"""Chunks that are sent before others have come back; the next stack begins below it."""

Progress = Callable[[int, int], None]
"""Called with the frames that are segmented, and all that are known of."""


@dataclass(frozen=True)
class ClusterJob:
    """What is done to every stack.

    Args:
        network: What the workers load.
        segmenter: The same, for what it says of itself; it segments nothing.
        out: Folder in which each stack gets one of its name.
        settings: The user's.
    """

    network: NetworkSpec
    segmenter: Segmenter
    out: Path
    settings: RunSettings


@dataclass(frozen=True)
class StackResult:
    """How a stack ended: with a record, as in `run.json`, or an error, one sentence."""

    source: StackSource
    record: dict[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Begun:
    """A stack whose chunks may be on their way; without a run it has ended already."""

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
    """Segment stacks with all workers of a client; the labels are those of one process.

    Chunks of many stacks are sent at once, and each is kept once it is back: lost workers are
    replaced by others, and a client that was killed has only those segmented that are missing.
    The files of a stack are written here, as by `run_stack`.

    Yields:
        How each stack ended, in their order.
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
    """Counts what is done over all stacks."""

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
    """Begin a stack and send its chunks; `own` gives its folder back."""
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
    # Workers have folders of their own to be in.
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
