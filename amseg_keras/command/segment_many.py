"""`amseg segment --workers` and `--dask`: many stacks on many processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.ending import advance
from amseg_keras.command.engine_option import EngineChoice
from amseg_keras.command.model_options import OpenedModel
from amseg_keras.command.segment_said import Outcome

if TYPE_CHECKING:
    from amseg_keras.read import StackSource
    from amseg_keras.runs import RunSettings
    from amseg_keras.segment import Segmenter


@dataclass(frozen=True)
class Workers:
    """Where frames are segmented: in a number of processes here, or by a scheduler.

    Attributes:
        count: Processes of this machine.
        scheduler: Address of a dask scheduler.
    """

    count: int | None
    scheduler: str | None

    def __bool__(self) -> bool:
        return self.count is not None or self.scheduler is not None


@dataclass(frozen=True)
class AskedNetwork:
    """What the user said of the network: name or folder, revision, device and engine."""

    model: str
    revision: str | None
    device: str
    engine: str


def segment_many(
    sources: Sequence[StackSource],
    opened: OpenedModel,
    asked: AskedNetwork,
    workers: Workers,
    run: tuple[Path, RunSettings],
    outcome: Outcome,
) -> None:
    """Segment all stacks on workers, with one progress bar, and keep what came of them.

    Raises:
        ClickException: There are no workers, or they cannot do it.
    """
    from tqdm import tqdm

    from amseg_keras.runs.cluster import (
        ClusterError,
        ClusterJob,
        NetworkSpec,
        connected,
        segment_on_cluster,
        threads_of_each,
    )

    out, settings = run
    segmenter = _on_engine(opened.segmenter, asked.engine, sources)
    network = NetworkSpec(
        model=_seen_from_anywhere(asked.model),
        revision=asked.revision,
        weights_sha256=opened.digest,
        backend=opened.backend,
        device=asked.device,
        engine=None if segmenter.engine == "predict" else segmenter.engine,
        threads=None if workers.count is None else threads_of_each(workers.count),
    )
    job = ClusterJob(network, segmenter, out, settings)
    try:
        with connected(workers.count, workers.scheduler) as client, tqdm(unit="frame") as bar:
            there = len(client.scheduler_info(n_workers=-1)["workers"])
            tqdm.write(
                f"{segmenter.info.name} on {there} workers ({network.backend or network.engine})",
                file=sys.stderr,
            )
            if not there:
                tqdm.write(f"no workers yet: dask worker {workers.scheduler}", file=sys.stderr)

            def show(done: int, frames: int) -> None:
                bar.total = frames
                advance(bar, done)

            for result in segment_on_cluster(client, sources, job, show):
                if result.record is None:
                    outcome.errors.append(str(result.error))
                else:
                    outcome.say(result.source.name, result.record)
    except ClusterError as error:
        raise click.ClickException(str(error)) from error


def _on_engine(segmenter: Segmenter, engine: str, sources: Sequence[StackSource]) -> Segmenter:
    """Choose the engine here once, so that all workers run the network in the same way."""
    from amseg_keras.read import ReadError

    choice = EngineChoice(segmenter, engine)
    for source in sources:
        try:
            with source.open() as stack:
                chosen, said = choice.for_stack(stack)
        except ReadError:
            continue  # said when it is its turn
        if said is not None:
            click.echo(said, err=True)
            return chosen
    return segmenter


def _seen_from_anywhere(model: str) -> str:
    """Return a preset folder with its whole path, and any other preset by its name."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model
