"""Many stacks over many processes, each into its output folder as one process would do it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amseg_keras.outputs import OutputError, OutputFolder
from amseg_keras.read import ReadError, StackSource
from amseg_keras.runs.cluster.chunks import Chunk, chunks_of
from amseg_keras.runs.cluster.collect import Collector
from amseg_keras.runs.cluster.connect import ClusterError
from amseg_keras.runs.cluster.worker import ChunkTask, NetworkSpec
from amseg_keras.runs.read_ahead import ReadAhead
from amseg_keras.runs.segment import (
    BATCHES_AHEAD,
    OUTPUTS,
    BegunRun,
    RunSettings,
    begin_run,
    complete_run,
)
from amseg_keras.segment import LabelledFrame, Segmenter

if TYPE_CHECKING:
    from distributed import Client

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

    Args:
        client: Client of the workers.
        sources: Stacks.
        job: What is done to them.
        progress: Function that is told as chunks come back.

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
