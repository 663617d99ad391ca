"""Commands on a data set that exists: `amseg dataset info`, `split` and `validate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import CLASS_WEIGHTS, SPLIT_WAYS, SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from amseg_keras.datasets import Dataset


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error in what the user gave into one sentence and exit code 1."""
    from amseg_keras.datasets.public import DownloadError
    from amseg_keras.datasets.split import SplitError
    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError

    try:
        yield
    except (ReadError, SplitError, DownloadError, OutputError) as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    except OSError as error:
        click.echo(f"amseg: {error.filename}: {error.strerror or error}", err=True)
        raise SystemExit(1) from error


def open_and_say(folder: Path) -> Dataset:
    """Open a data set, and say what was assumed."""
    from amseg_keras.datasets import open_dataset

    data = open_dataset(folder)
    say(data.assumed)
    return data


def say(notes: Iterable[str]) -> None:
    """Say notes where results do not go."""
    for note in notes:
        click.echo(f"  {note}", err=True)


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the tables and the plot: frames.csv, classes.csv, statistics.png.",
)
@click.option(
    "--weights",
    type=click.Choice(CLASS_WEIGHTS),
    default=CLASS_WEIGHTS[0],
    show_default=True,
    help="How rare classes are weighted in training.",
)
def info(folder: Path, out: Path | None, weights: str) -> None:
    """Say what the data set in FOLDER holds.

    Frames by material, facility, process and split, the share of each class, and weights for
    training, from the training split where there is one.
    """
    import pandas as pd
    from tqdm import tqdm

    from amseg_keras.datasets.statistics import (
        class_shares,
        class_weights,
        count_frames,
        count_pixels,
    )

    with one_sentence():
        data = open_and_say(folder)
        labelled = sum(frame.label is not None for frame in data.frames)
        with tqdm(total=labelled, unit="label") as bar:
            pixels = count_pixels(data, bar.update)
        shares = class_shares(pixels)
        training = {frame.label for frame in data.of_split("train").frames}
        used = pixels[pixels.index.isin(training)] if training else pixels
        of = "the training split" if training else "all labelled frames"
        shares["weight"] = pd.Series(class_weights(used, weights))
        _print_head(data, labelled)
        for by in ("material", "facility", "process", "split"):
            table = count_frames(data, by)
            # A field that no frame has is not counted, but the table of the paper stays.
            if by == "material" or any(getattr(frame, by) for frame in data.frames):
                click.echo(f"\n{table.to_string()}")
        click.echo(f"\n{shares.to_string(formatters={'share': '{:.4%}'.format})}")
        click.echo(f"weight: {weights}, of {of}")
        if out is not None:
            _save(count_frames(data), shares, out)


def _print_head(data: Dataset, labelled: int) -> None:
    from amseg_keras.datasets.split import SPLIT_BY

    click.echo(f"{data.folder}: {len(data.frames)} frames, {labelled} labelled")
    click.echo(f"sequences   {len(data.sequences())}")
    click.echo(f"classes     {', '.join(data.class_names)}")
    size = "not given" if data.pixel_size_um is None else f"{data.pixel_size_um:g} um"
    click.echo(f"pixel size  {size}")
    if SPLIT_BY in data.other:
        click.echo(f"split by    {data.other[SPLIT_BY]}")
    if data.origin:
        click.echo(f"origin      {data.origin}")


def _save(frames: pd.DataFrame, shares: pd.DataFrame, out: Path) -> None:
    from amseg_keras.atomic import complete_or_absent

    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.dataset_figure import draw_statistics

    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("frames.csv", frames), ("classes.csv", shares)):
        with complete_or_absent(out / name) as temporary:
            table.to_csv(temporary)
    draw_statistics(frames, shares, out / "statistics.png")


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(SPLIT_WAYS),
    default="sequence",
    show_default=True,
    help="Whole sequences, single frames at random as in the paper, or blocks of time: the first "
    "part of each sequence for training, the last for the test.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace the split that is there.")
def split(folder: Path, by: str, seed: int, overwrite: bool) -> None:
    """Split the frames in FOLDER 4:1:1 into training, validation and test.

    The split is written into dataset.json. By default no sequence is in two splits, so that the
    test is on shots that the network has not seen.
    """
    from amseg_keras.datasets.dataset import DATASET_FILE
    from amseg_keras.datasets.split import split_dataset

    with one_sentence():
        data = open_and_say(folder)
        if any(frame.split for frame in data.frames) and not overwrite:
            raise click.UsageError(
                f"{folder / DATASET_FILE} is split already: scores of another split cannot be "
                "compared with earlier ones; if that is meant, give --overwrite"
            )
        done = split_dataset(data, by, seed)
        done.save()
    for name in SPLITS:
        part = done.of_split(name)
        click.echo(f"{name:<12}{len(part.frames):>6} frames of {len(part.sequences())} sequences")


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(path_type=Path))
def validate(folder: Path) -> None:
    """Name everything that is wrong with the data set in FOLDER, one line each.

    Files that are missing, unreadable or not listed; labels of another size than their image or
    with unknown class ids; equal frames, or one sequence, in two splits.

    Exit codes: 0 nothing is wrong, 1 something is.
    """
    from tqdm import tqdm

    from amseg_keras.datasets.validate import validate as find_faults

    with one_sentence():
        data = open_and_say(folder)
        with tqdm(total=len(data.frames), unit="frame") as bar:
            faults = find_faults(data, bar.update)
    for fault in faults:
        click.echo(str(fault))
    count = len(faults)
    click.echo(
        f"{len(data.frames)} frames: {count or 'no'} fault{'s' * (count != 1)}",
        err=True,
    )
    if faults:
        raise SystemExit(1)
