"""`amseg segment`"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from amseg_keras.command.choices import COUNT, DRAWN_FRAMES, PATH
from amseg_keras.command.ending import advance, finish
from amseg_keras.command.options import (
    EngineChoice,
    OpenedModel,
    background_option,
    engine_option,
    input_options,
    model_options,
    opened_model,
    segment_options,
)

if TYPE_CHECKING:
    from amseg_keras.read import ReadOptions, StackSource
    from amseg_keras.runs import RunSettings
    from amseg_keras.segment import Segmenter


@dataclass
class Outcome:
    """Collect the failures and warnings that `amseg segment` reports at its end.

    Attributes:
        errors: Inputs and frames that failed, a sentence each.
        warned: Names of the stacks that do not look like what the preset knows.
    """

    errors: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def say(self, name: str, record: dict[str, Any]) -> None:
        """Say what the user should know of a finished stack, and keep what failed of it.

        Args:
            record: Its `run.json`.
        """
        from tqdm import tqdm

        from amseg_keras.quantify.scale import said_of_pixel_size

        for note in record["notes"]:
            tqdm.write(f"  {name}: {note}", file=sys.stderr)
        for note in said_of_pixel_size(record["pixel_size_um"], record["pixel_size_from"]):
            tqdm.write(f"  {name}: {note}", file=sys.stderr)
        warnings = record.get("warnings") or []
        for warning in warnings:
            tqdm.write(f"  {name}: CAUTION: {warning['sentence']}", file=sys.stderr)
        if warnings:
            self.warned.append(name)
        self.errors += [
            frame["error"] for frame in record["unreadable_frames"] if not frame.get("missing")
        ]


@dataclass(frozen=True)
class Workers:
    """Place of the work: a number of processes on this machine, or a scheduler."""

    count: int | None
    scheduler: str | None

    def __bool__(self) -> bool:
        return self.count is not None or self.scheduler is not None


@dataclass(frozen=True)
class AskedNetwork:
    """Network that the user named: name or folder, revision, device and engine."""

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


OUT_OF_DEPTH = 3
"""Exit code of `--strict` where a recording does not look like what the preset knows."""


class DrawnFrames(click.ParamType):  # type: ignore[type-arg]
    """`all`, `none` or a number of frames; None, 0 or the number."""

    name = "all|none|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value == "all":
            return None
        if value == "none":
            return 0
        try:
            count = int(value)
        except ValueError:
            count = -1
        if count < 0:
            self.fail(f"{value!r}: give all, none or a number of frames", param, ctx)
        return count


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--out", required=True, type=PATH, help="Output folder.")
@model_options
@input_options
@segment_options
@background_option
@click.option(
    "--overlay",
    "drawn",
    type=DrawnFrames(),
    default=str(DRAWN_FRAMES),
    help="Frames of the overlay movie; of longer stacks as many, evenly spread.",
)
@click.option(
    "--workers",
    "count",
    type=COUNT,
    metavar="N",
    help="Share the stacks among N processes of this machine, each with its part of the cores.",
)
@click.option(
    "--dask",
    "scheduler",
    metavar="ADDRESS",
    help="Share them among the workers of a dask scheduler, as tcp://host:8786.",
)
@engine_option
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with code 3 if a recording does not look like what the preset knows.",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of another run in OUT.")
def segment(
    inputs: tuple[str, ...],
    out: Path,
    model: str,
    revision: str | None,
    label_format: str,
    drawn: int | None,
    pixel_size: float | None,
    scale: float | Literal["auto"],
    batch_size: int | None,
    background: str,
    device: str,
    count: int | None,
    scheduler: str | None,
    engine: str,
    overwrite: bool,
    reading: ReadOptions,
    assume_pixel_size: bool,
    frame_rate: float | None,
    strict: bool,
) -> None:
    """Segment frames and measure the area of every class.

    INPUT is a file, a folder, a quoted glob, or file.h5::/path/to/dataset. PNG, JPEG, BMP, TIFF,
    NumPy .npy, HDF5/NeXus, Zarr, EDF, MP4 and AVI are read. Numbered frames in a folder are one
    stack, with a missing frame for each number that is left out; files given one by one are not.
    sample:esrf-lpbf is a simulated stack that comes with the package.

    \b
    For each stack, in a folder of its name below OUT:
      labels.tif      class ids, uint8, one page a frame (or labels/*.png, labels.h5, labels.zarr)
      overlay.mp4     the frames with their labels over them (overlay.png for one frame)
      frames.csv      area of every class in every frame
      bounds.npz      labels between which the truth lies, for the intervals of amseg quantify
      run.json        model, versions, grey levels, pixel size, times, unreadable frames

    After an interruption, the same command continues the run, with any number of workers. With
    --dask every worker must see the inputs, and a preset given as a folder, under the same path;
    it needs no access to OUT.

    \b
    On a cluster, the workers of each machine share its cores:
      dask scheduler
      dask worker tcp://host:8786 --nworkers 4 --nthreads 1
    or with SLURM, in Python: from dask_jobqueue import SLURMCluster; c = SLURMCluster(cores=8,
    memory="16GB", processes=1); c.scale(jobs=20); print(c.scheduler_address)

    CAUTION stands before what does not look like the recordings that the preset was made for.

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use, 3 all done and,
    with --strict, a recording is out of the preset's depth.
    """
    from amseg_keras.read import find_stacks
    from amseg_keras.report.label_files import zarr_module
    from amseg_keras.runs import RunSettings

    if count is not None and scheduler is not None:
        raise click.UsageError("give --workers or --dask, not both")
    workers = Workers(count, scheduler)
    if engine == "openvino-int8" and workers:
        raise click.UsageError("--engine openvino-int8 is for one process")
    if label_format == "zarr":
        try:
            zarr_module()
        except ImportError as error:
            raise click.ClickException(str(error)) from error
    sources, failures = find_stacks(inputs, reading)
    if not sources:
        finish([str(error) for error in failures])
    outcome = Outcome([str(error) for error in failures])
    model = _for_this_input(model, sources)
    # The network is loaded here too for what it says of itself; where is then for the workers.
    with opened_model(model, revision, "cpu" if workers else device, engine) as opened:
        settings = RunSettings(
            label_format,
            pixel_size,
            batch_size,
            device if workers else opened.device,
            overwrite,
            drawn,
            background,
            scale,
            assume_pixel_size,
            frame_rate,
        )
        if workers:
            asked = AskedNetwork(model, revision, device, engine)
            segment_many(sources, opened, asked, workers, (out, settings), outcome)
        else:
            click.echo(str(opened), err=True)
            choice = EngineChoice(opened.segmenter, engine)
            for source in sources:
                folder = out / source.name
                _segment_one(source, choice, opened.digest, (folder, settings), outcome)
    finish(outcome.errors)
    if strict and outcome.warned:
        click.echo(f"out of the preset's depth: {', '.join(outcome.warned)}", err=True)
        raise SystemExit(OUT_OF_DEPTH)


def _for_this_input(model: str, sources: Sequence[StackSource]) -> str:
    """Choose the preset of single frames if `model` is "auto" and no input is a recording."""
    from amseg_keras.pretrained.find import AUTO, BEST_FOR_A_FRAME
    from amseg_keras.read import ReadError

    if model != AUTO or Path(model).is_dir():
        return model
    for source in sources:
        try:
            with source.open() as stack:
                if len(stack) > 1:
                    return model
        except ReadError:  # said when the stack is segmented
            continue
    return BEST_FOR_A_FRAME


def _segment_one(
    source: StackSource,
    choice: EngineChoice,
    digest: str,
    run: tuple[Path, RunSettings],
    outcome: Outcome,
) -> None:
    """Segment one stack with a progress bar, and keep what came of it."""
    from tqdm import tqdm

    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError, run_stack

    folder, settings = run
    try:
        with source.open() as stack, tqdm(total=len(stack), desc=source.name, unit="frame") as bar:
            segmenter, said = choice.for_stack(stack)
            if said is not None:
                tqdm.write(f"  {said}", file=sys.stderr)
            record = run_stack(stack, segmenter, digest, folder, settings, partial(advance, bar))
    except (ReadError, OutputError) as error:
        outcome.errors.append(str(error))
    else:
        outcome.say(source.name, record)
