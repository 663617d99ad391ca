"""`amseg explain`"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import PATH
from amseg_keras.command.ending import advance, finish
from amseg_keras.command.options import (
    OpenedModel,
    background_option,
    input_options,
    model_options,
    opened_model,
)

if TYPE_CHECKING:
    from amseg_keras.read import ReadOptions, StackSource
    from amseg_keras.runs.explain import ExplainSettings
    from amseg_keras.segment import Segmenter


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-c", "--class", "class_name", required=True, help="The class to explain: keyhole, ..."
)
@click.option(
    "--layer",
    help="Layer of the network to look into. Default: the last that is coarser than the frame. "
    "An unknown name lists them all.",
)
@click.option(
    "--frames", default="all", metavar="LIST", help="Which frames, counted from 0, as 0,5,10-20."
)
@click.option("-o", "--out", required=True, type=PATH, help="Output folder.")
@model_options
@input_options
@background_option
@click.option("--overwrite", is_flag=True, help="Replace the results of another run in OUT.")
def explain(
    inputs: tuple[str, ...],
    class_name: str,
    layer: str | None,
    frames: str,
    out: Path,
    model: str,
    revision: str | None,
    device: str,
    background: str,
    overwrite: bool,
    reading: ReadOptions,
) -> None:
    """Show why a network finds a class, and which frames are doubtful.

    INPUT is as in amseg segment: a file, a folder, a quoted glob, file.h5::/path/to/dataset.

    \b
    amseg explain scan_0001.h5 --class keyhole -o why
    amseg explain scan_0001.h5 --class pore --layer decoder_2 --frames 0,5,10-20 -o why

    \b
    For each stack, in a folder of its name below OUT:
      grad_cam/00000.png    evidence for the class, blue to red over the frame (Grad-CAM)
      grad_cam.tif          these maps alone, float32 from 0 to 1, a page for each frame
      confidence/00000.png  probability of the labels, and doubtful pixels
      frames.csv            confidence of each frame, the lowest first; look_at marks frames that
                            a person should look at, or label for amseg finetune
      explain.json          model, class, layer, limits, versions, unreadable frames

    A frame goes through the network twice, and back from its end to the layer. The default layer is
    near the end; a layer near the beginning can take twice as long.

    After an interruption, the same command continues the run.

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use.
    """
    from amseg_keras.read import find_stacks

    chosen_frames = parse_frames(frames)
    sources, failures = find_stacks(inputs, reading)
    if not sources:
        finish([str(error) for error in failures])
    errors = [str(error) for error in failures]
    with opened_model(model, revision, device) as opened:
        from amseg_keras.runs.explain import ExplainSettings

        settings = ExplainSettings(
            class_name, layer, chosen_frames, opened.device, overwrite, background
        )
        _check_names(opened.segmenter, settings)
        name = opened.segmenter.info.name
        click.echo(f"{name} on {opened.device} ({opened.backend})", err=True)
        for source in sources:
            errors += _explain_one(source, opened, out / source.name, settings)
    finish(errors)


def parse_frames(text: str) -> tuple[int, ...] | None:
    """Parse a list of frames like 0,5,10-20: rising, each once; None for all.

    Raises:
        BadParameter: it is no such list.

    Example:
        >>> parse_frames("5,0,3-6"), parse_frames("all")
        ((0, 3, 4, 5, 6), None)
    """
    if text.strip() == "all":
        return None
    wanted: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})\s*(?:-\s*(\d{1,7})\s*)?", part)
        if match is None:
            raise click.BadParameter(
                f"{part.strip()!r} is neither a frame nor a range; give all, or a list as "
                "0,5,10-20",
                param_hint="--frames",
            )
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise click.BadParameter(
                f"{part.strip()!r} ends before it begins", param_hint="--frames"
            )
        wanted.update(range(first, last + 1))
    return tuple(sorted(wanted))


def _check_names(segmenter: Segmenter, settings: ExplainSettings) -> None:
    """Refuse a class or a layer that the network does not have, before any file is read."""
    from amseg_keras.explain import class_index
    from amseg_keras.explain.inner_layers import layer_tensor

    try:
        class_index(segmenter.class_names, settings.class_name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--class") from error
    if settings.layer is None:
        return
    try:
        layer_tensor(segmenter.model, settings.layer)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--layer") from error


def _explain_one(
    source: StackSource, opened: OpenedModel, folder: Path, settings: ExplainSettings
) -> list[str]:
    """Explain one stack with a progress bar; the errors it met, one sentence each."""
    from tqdm import tqdm

    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError
    from amseg_keras.runs.explain import run_explanation

    try:
        with source.open() as stack:
            count = len(stack) if settings.frames is None else len(settings.frames)
            with tqdm(total=count, desc=source.name, unit="frame") as bar:
                network, digest, show = opened.segmenter, opened.digest, partial(advance, bar)
                record = run_explanation(stack, network, digest, folder, settings, show)
    except (ReadError, OutputError) as error:
        return [str(error)]
    for note in record["notes"]:
        click.echo(f"  {source.name}: {note}", err=True)
    if record["look_at"]:
        frames = ", ".join(map(str, record["look_at"][:10]))
        more = len(record["look_at"]) - 10
        click.echo(
            f"  {source.name}: look at frame {frames}{f' and {more} more' if more > 0 else ''}",
            err=True,
        )
    return [frame["error"] for frame in record["unreadable_frames"] if not frame.get("missing")]
