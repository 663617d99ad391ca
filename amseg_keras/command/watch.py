"""`amseg watch`"""

from __future__ import annotations

import signal
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.choices import COMPLETE_S, PATH, PATIENCE_S, POSITIVE, SETTLE_S
from amseg_keras.command.ending import finish
from amseg_keras.command.options import (
    compiled,
    engine_option,
    input_options,
    model_options,
    opened_model,
    segment_options,
)

if TYPE_CHECKING:
    from amseg_keras.runs.watch import Event, Turn


@click.command(no_args_is_help=True)
@click.argument("folder", type=PATH)
@click.option(
    "-o", "--out", required=True, type=PATH, help="Output folder; it may be a folder in FOLDER."
)
@model_options
@segment_options
@engine_option
@input_options
@click.option(
    "--dataset",
    metavar="PATH",
    help="Dataset in HDF5 files, as /entry/data/data. Default: the only image stack of each.",
)
@click.option(
    "--settle",
    type=POSITIVE,
    metavar="SECONDS",
    default=SETTLE_S,
    help="A file is taken when it has not changed for so long; over NFS rather 5.",
)
@click.option(
    "--patience",
    type=POSITIVE,
    metavar="SECONDS",
    default=PATIENCE_S,
    help="A frame that cannot be read for so long is reported and labelled 255.",
)
@click.option(
    "--complete-after",
    type=POSITIVE,
    metavar="SECONDS",
    default=COMPLETE_S,
    help="A growing stack is complete when no frame has come for so long.",
)
@click.option(
    "--until-idle",
    type=POSITIVE,
    metavar="SECONDS",
    help="End when nothing has come for so long. Default: go on until Ctrl-C.",
)
def watch(folder: Path, out: Path, model: str, revision: str | None, **chosen: Any) -> None:
    """Segment and measure frames while an acquisition writes them to FOLDER.

    FOLDER and its subfolders are searched for files that amseg segment reads. Numbered files of one
    frame each are one growing stack. Other files are read when they are complete, HDF5 in SWMR mode
    while it is written. Earlier files come first. Frames are labelled in order, and none is left
    out. A line for each second of work says how long frames took from the first look to the result,
    and how many frames wait.

    \b
    For each stack, in a folder of its name below OUT:
      live.csv        a row for each frame: latency, area of every class, keyhole area and depth,
                      pores
      labels.tif, overlay.mp4, frames.csv, run.json
                      as from amseg segment, when the stack is complete

    The first frames of a growing stack, at most 16, set its scaling of grey levels. A file that is
    complete from the start is scaled by all its frames. run.json says which. A network with a
    motion channel compares each frame with up to 18 earlier frames; the first nine have none.

    Ctrl-C writes the files of all stacks and ends the watch; a second Ctrl-C ends it at once. The
    same command continues with new frames, and with files that were not written.

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use.
    """
    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError
    from amseg_keras.runs.watch import Network, Timing, WatchSettings, check_folders
    from amseg_keras.runs.watch import watch as watch_folder

    if chosen["engine"] == "openvino-int8":
        raise click.UsageError("--engine openvino-int8 needs frames beforehand; use amseg segment")
    settings = WatchSettings(
        label_format=chosen["label_format"],
        pixel_size_um=chosen["pixel_size"],
        assume_pixel_size=chosen["assume_pixel_size"],
        frame_rate_hz=chosen["frame_rate"],
        batch_size=chosen["batch_size"],
        scale=chosen["scale"],
        dataset=chosen["dataset"],
        reading=chosen["reading"],
        timing=Timing(chosen["settle"], chosen["patience"]),
        complete_s=chosen["complete_after"],
        until_idle_s=chosen["until_idle"],
    )
    errors: list[str] = []
    try:
        check_folders(folder, out)
    except ReadError as error:
        finish([str(error)])
    with (
        opened_model(model, revision, chosen["device"], chosen["engine"]) as opened,
        _stop_signals() as stop,
    ):
        click.echo(str(opened), err=True)
        click.echo(f"  {compiled(opened.segmenter, chosen['engine'])}", err=True)
        network = Network(opened.segmenter, opened.digest, opened.device)
        try:
            for event in watch_folder(folder, out, network, settings, stop):
                errors += _show(event)
        except (ReadError, OutputError) as error:
            errors.append(str(error))
    finish(errors)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Make an event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(event: Event) -> list[str]:
    """Say what has happened; what of it failed, one sentence each."""
    from amseg_keras.runs.watch import Problem, Turn, Written

    match event:
        case Turn():
            click.echo(turn_line(event))
            for error in event.errors:
                click.echo(f"  {error}", err=True)
            return list(event.errors)
        case Written():
            for note in event.notes:
                click.echo(f"  {event.stack}: {note}", err=True)
            click.echo(f"{event.stack}: {event.frames} frames -> {event.folder}")
            return []
        case Problem():
            click.echo(f"  {event.text}", err=True)
            return [event.text]


def turn_line(turn: Turn) -> str:
    """Write what was done, how fast, and what is waiting.

    Example:
        >>> from amseg_keras.runs.watch import Turn
        >>> turn_line(Turn("shot", 40, (0.5, 0.75, 2.0), 1.5, 12, 3.0, True, ()))
        'shot: 40 frames done, 2 frames/s, latency 0.75 s (worst 2 s), 12 behind (oldest 3 s),
        falling behind'
    """
    median, worst = statistics.median(turn.latencies_s), max(turn.latencies_s)
    text = (
        f"{turn.stack}: {turn.done} frames done, {len(turn.latencies_s) / turn.seconds:.3g} "
        f"frames/s, latency {median:.3g} s (worst {worst:.3g} s)"
    )
    if turn.behind:
        text += f", {turn.behind} behind (oldest {turn.oldest_s:.3g} s)"
    return text + (", falling behind" if turn.falling_behind else "")
