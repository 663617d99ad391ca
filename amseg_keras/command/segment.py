"""`amseg segment`"""

from __future__ import annotations

from pathlib import Path

import click
import keras
from tqdm import tqdm

from amseg_keras.command.ending import advance, finish
from amseg_keras.command.model_options import OpenedModel, model_options, opened_model
from amseg_keras.read import ReadError, StackSource, find_stacks
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.runs import OutputTakenError, RunSettings, run_stack


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Output folder.")
@model_options
@click.option(
    "-f",
    "--format",
    "label_format",
    type=click.Choice(list(LABEL_WRITERS)),
    default="tiff",
    show_default=True,
    help="Label maps as one TIFF stack, as a PNG per frame, or as HDF5.",
)
@click.option(
    "--pixel-size",
    type=click.FloatRange(min=0, min_open=True),
    metavar="UM",
    help="Size of a pixel in um. Default: what the file says, else the preset's.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Frames given to the network at once. Default: up to 4, by frame size.",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of another run in OUT.")
def segment(
    inputs: tuple[str, ...],
    out: Path,
    model: str,
    revision: str | None,
    label_format: str,
    pixel_size: float | None,
    batch_size: int | None,
    device: str,
    overwrite: bool,
) -> None:
    """Segment frames and measure the area of every class.

    INPUT is a file, a folder, a quoted glob, or file.h5::/path/to/dataset. PNG, JPEG, BMP, TIFF,
    NumPy .npy, HDF5/NeXus, EDF, MP4 and AVI are read. Numbered frames in a folder are one stack.
    sample:esrf-lpbf is a simulated stack that comes with the package.

    \b
    For each stack, in a folder of its name below OUT:
      labels.tif      class ids, uint8, one page a frame (or labels/*.png, labels.h5)
      overlay.mp4     the frames with their labels over them (overlay.png for one frame)
      frames.csv      area of every class in every frame
      run.json        model, versions, grey levels, pixel size, times, unreadable frames

    A run that was interrupted goes on where it stopped when the same command is given again.

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use.
    """
    sources, failures = find_stacks(inputs)
    if not sources:
        finish([str(error) for error in failures])
    errors = [str(error) for error in failures]
    with opened_model(model, revision, device) as opened:
        settings = RunSettings(label_format, pixel_size, batch_size, opened.device, overwrite)
        name = opened.segmenter.info.name
        click.echo(f"{name} on {opened.device} ({keras.backend.backend()})", err=True)
        for source in sources:
            errors += _segment_one(source, opened, out / source.name, settings)
    finish(errors)


def _segment_one(
    source: StackSource, opened: OpenedModel, folder: Path, settings: RunSettings
) -> list[str]:
    """Segment one stack with a progress bar; the errors it met, one sentence each."""
    try:
        with (
            source.open() as stack,
            tqdm(total=len(stack), desc=source.name, unit="frame") as bar,
        ):
            record = run_stack(
                *(stack, opened.segmenter, opened.digest, folder, settings),
                lambda done: advance(bar, done),
            )
    except (ReadError, OutputTakenError) as error:
        return [str(error)]
    except OSError as error:
        return [f"{folder}: cannot be written ({error.strerror or error})"]
    for note in record["notes"]:
        click.echo(f"  {source.name}: {note}", err=True)
    if record["pixel_size_from"] == "preset":
        click.echo(
            f"  {source.name}: pixel size {record['pixel_size_um']:g} um assumed, as in the "
            "preset's training frames; give --pixel-size if yours differ",
            err=True,
        )
    return [frame["error"] for frame in record["unreadable_frames"]]
