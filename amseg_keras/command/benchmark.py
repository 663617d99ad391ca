"""`amseg benchmark`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.benchmark_speed import speed_command
from amseg_keras.command.choices import PAPER, TIMING_ROUNDS
from amseg_keras.command.dataset.existing import open_and_say
from amseg_keras.command.ending import finish
from amseg_keras.command.training_display import TrainingDisplay, training_display
from amseg_keras.command.training_options import data_option, recipe_options
from amseg_keras.models.titles import OF_THE_PAPER, TITLES

if TYPE_CHECKING:
    from amseg_keras.training import Progress


@click.group()
def benchmark() -> None:
    """Measure networks against each other."""


benchmark.add_command(speed_command)


@benchmark.command("networks", no_args_is_help=True)
@data_option(text="Folder of a data set with the splits train, validation and test.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for tables, plots and trainings.",
)
@click.option(
    "--networks",
    multiple=True,
    type=click.Choice(list(TITLES)),
    help="Which; may be given several times. By default the five of the paper.",
)
@recipe_options(PAPER)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=TIMING_ROUNDS,
    show_default=True,
    help="How often each network is timed.",
)
def networks_command(
    data: Path, out: Path, networks: tuple[str, ...], rounds: int, **settings: Any
) -> None:
    """Compare the networks of the paper on a data set (its table 2 and figure 4).

    Each is trained by the same recipe on the same batches and evaluated on the test frames. Then
    all are timed in turn: a training step of 2 frames and the segmentation of a frame, of 256x512
    pixels. A run that was interrupted goes on where it stopped when the same command is given
    again.

    \b
    amseg benchmark networks --data folder -o comparison
    amseg benchmark networks --data folder --networks amsegnet --networks unet -o comparison

    \b
    In OUT:
      networks.md    parameters, GMAC, IoU, F1 and times of each network, with the conditions
      networks.csv   the same, all digits; networks.json: with the conditions
      networks.png   IoU against segmentation time, of each class, and over the training
      curves.csv     mean IoU on the validation frames after each epoch
      runs/NETWORK/  the trainings; runs/NETWORK/preset is for --model of the other commands
      times.json     seconds of every round

    Exit codes: 0 done, 1 an error or frames that cannot be read, named in a sentence, 2 wrong use.
    """
    from amseg_keras.comparison import Timing, compare_networks, write_comparison
    from amseg_keras.report.comparison_table import readable_table
    from amseg_keras.training import Recipe

    try:
        recipe = Recipe(**settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    chosen = [name for name in TITLES if name in (networks or OF_THE_PAPER)]
    with training_display() as display:
        opened = open_and_say(data)
        try:
            comparison = compare_networks(
                opened, out, recipe, chosen, timing=Timing(rounds), progress=_Show(display)
            )
        except KeyboardInterrupt:
            display.close()
            click.echo("interrupted; the same command goes on", err=True)
            raise SystemExit(130) from None
        write_comparison(comparison, out)
    click.echo(readable_table(comparison.table).T.to_string())
    click.echo(f"{out / 'networks.png'}")
    finish(comparison.errors)


class _Show:
    """A line for each stage, and the bar of the training below it."""

    def __init__(self, display: TrainingDisplay) -> None:
        self._display = display
        self._stage = ""

    def __call__(self, stage: str, training: Progress | None) -> None:
        from tqdm import tqdm

        if stage != self._stage:
            self._display.close()
            tqdm.write(stage)
            self._stage = stage
        if training is not None:
            self._display(training)
