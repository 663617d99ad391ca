"""`amseg dataset info`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import CLASS_WEIGHTS
from amseg_keras.command.dataset.opening import one_sentence, open_and_say

if TYPE_CHECKING:
    import pandas as pd

    from amseg_keras.datasets import Dataset


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
            # Of what nobody wrote down there is nothing to count, but the paper's table stays.
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
