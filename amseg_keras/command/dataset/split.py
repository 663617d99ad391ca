"""`amseg dataset split`"""

from __future__ import annotations

from pathlib import Path

import click

from amseg_keras.command.choices import SPLIT_WAYS, SPLITS
from amseg_keras.command.dataset.opening import one_sentence, open_and_say


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
