"""Many stacks over many processes, each into its output folder as one process would do it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amseg_keras.read import ReadError, StackSource
from amseg_keras.runs.cluster.chunks import Chunk, chunk_file, chunks_of, read_chunk
from amseg_keras.runs.cluster.collect import Collector
from amseg_keras.runs.cluster.connect import ClusterError
from amseg_keras.runs.cluster.worker import ChunkTask, NetworkSpec
from amseg_keras.runs.read_ahead import ReadAhead
from amseg_keras.runs.record import OutputTakenError
from amseg_keras.runs.segment import (
    BATCHES_AHEAD,
    BegunRun,
    RunSettings,
    begin_run,
    complete_run,
)
from amseg_keras.segment import LabelledFrame, Segmenter

if TYPE_CHECKING:
    from distributed import Client

WAITING = "chunks"
"""Folder in that of an unfinished run, for chunks of which one before is missing."""

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
    """A stack of which chunks may be on their way; without a run it has ended already."""

    result: StackResult
    run: BegunRun | None = None
    frames: int = 0

    @property
    def waiting(self) -> Path:
        """Folder of its chunks."""
        assert self.run is not None
        return self.run.store.folder / WAITING

    @property
    def chunks(self) -> list[Chunk]:
        """Those with frames that are not in its store."""
        assert self.run is not None
        done = self.run.store.done
        return [one for one in chunks_of(self.frames, self.run.batch_size) if one.last > done]


def segment_on_cluster(
    client: Client,
    sources: Sequence[StackSource],
    job: ClusterJob,
    progress: Progress = lambda done, frames: None,
) -> Iterator[StackResult]:
    """Segment stacks with all workers of a client; the labels are those of one process.

    Chunks of all stacks are sent at once, and each is kept once it is back: lost workers are
    replaced by others, and a client that was killed has only those segmented that are missing.
    The files of a stack are written here, as by `run_stack`.

    Args:
        client: Of the workers.
        sources: The stacks.
        job: What is done to them.
        progress: Told as chunks come back.

    Yields:
        How each stack ended, in their order.
    """
    tally = _Tally(progress)
    with Collector(client, tally.add_done) as collector:
        begun = []
        for source in sources:
            one = _begin(source, job)
            begun.append(one)
            tally.add_frames(one.frames)
            if one.run is None:
                tally.add_done(one.frames)
                continue
            missing = [
                chunk for chunk in one.chunks if not chunk_file(one.waiting, chunk).is_file()
            ]
            tally.add_done(one.frames - sum(map(len, missing)))
            collector.submit(one.waiting, [_task(one.run, source, job, chunk) for chunk in missing])
        for one in begun:
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


def _begin(source: StackSource, job: ClusterJob) -> _Begun:
    folder = job.out / source.name
    try:
        with source.open() as stack:
            digest = job.network.weights_sha256
            begun = begin_run(stack, job.segmenter, digest, folder, job.settings)
            frames = len(stack)
    except (ReadError, OutputTakenError) as error:
        return _Begun(StackResult(source, error=str(error)))
    except OSError as error:
        return _Begun(StackResult(source, error=_cannot_write(folder, error)))
    if isinstance(begun, BegunRun):
        return _Begun(StackResult(source), begun, frames)
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
        batch_size=run.batch_size,
        chunk=chunk,
    )


def _complete(one: _Begun, job: ClusterJob, collector: Collector) -> StackResult:
    assert one.run is not None
    source, run = one.result.source, one.run
    try:
        with (
            source.open() as stack,
            ReadAhead(stack, sorted(run.about.drawn), BATCHES_AHEAD * run.batch_size) as frames,
        ):
            coming = frames, _in_order(one, collector)
            record = complete_run(stack, job.segmenter.info, run, coming, lambda done: None)
    except (ReadError, ClusterError) as error:
        return StackResult(source, error=str(error))
    except OSError as error:
        return StackResult(source, error=_cannot_write(run.folder, error))
    return StackResult(source, record=record)


def _in_order(one: _Begun, collector: Collector) -> Iterator[LabelledFrame]:
    assert one.run is not None
    start, shape = one.run.store.done, one.run.about.shape[1:]
    for chunk in one.chunks:
        if not chunk_file(one.waiting, chunk).is_file():
            collector.wait(one.waiting, chunk)
        for frame in read_chunk(one.waiting, chunk, shape):
            if frame.index >= start:
                yield frame
        # Its frames are in the store by now.
        chunk_file(one.waiting, chunk).unlink()


def _cannot_write(folder: Path, error: OSError) -> str:
    return f"{folder}: cannot be written ({error.strerror or error})"
