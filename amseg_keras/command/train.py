"""`amseg train`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from amseg_keras.backend import PRECISIONS
from amseg_keras.command.opencv import opencv_needed
from amseg_keras.command.training_display import duration, training_display
from amseg_keras.command.training_options import data_option, recipe_options, run_option
from amseg_keras.models.networks import NETWORKS
from amseg_keras.training import Recipe, Simulation, TrainedRun, train
from amseg_keras.training.recipe import ANNEALINGS
from amseg_keras.training.repeats import train_repeatedly

_PAPER = Recipe()


@click.command("train", no_args_is_help=True)
@data_option(required=False)
@click.option(
    "--simulate",
    multiple=True,
    metavar="FACILITY[=SHARE]",
    help="Simulated frames in place of a data set: esrf, aps, dls, hpdc; several with shares.",
)
@click.option(
    "--frames-per-epoch",
    type=click.IntRange(min=1),
    default=Simulation().frames,
    show_default=True,
    help="Of simulated frames.",
)
@run_option()
@click.option(
    "--network", type=click.Choice(list(NETWORKS)), default=_PAPER.network, show_default=True
)
@click.option("--start-from", metavar="PRESET", help="Begin with the weights of a preset.")
@click.option(
    "--teacher", metavar="PRESET", help="Learn from a trained network too: for a small --network."
)
@click.option(
    "--kept-epochs",
    type=click.IntRange(min=1),
    help="After so many epochs, the same batches again: where a simulator or a teacher is slow.",
)
@recipe_options(_PAPER)
@click.option(
    "--annealing", type=click.Choice(ANNEALINGS), default=_PAPER.annealing, show_default=True
)
@click.option(
    "--augment",
    type=click.Choice(["paper", "strong", "none"]),
    default=_PAPER.augment,
    show_default=True,
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=_PAPER.precision, show_default=True
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Repeat with the next seeds, and report mean and spread; the paper has 20.",
)
@click.option("--resume", is_flag=True, help="Go on with the training in OUT.")
def train_command(
    data: Path | None,
    simulate: tuple[str, ...],
    frames_per_epoch: int,
    out: Path,
    start_from: str | None,
    teacher: str | None,
    kept_epochs: int | None,
    repeats: int,
    resume: bool,
    **settings: Any,
) -> None:
    """Train a network on a data set, or on simulated frames.

    The defaults are the paper's recipe: Adam, rate 1e-3 with annealing, batches of 16, 100 epochs,
    Dice plus focal loss with class weights. The data set needs the splits train and validation
    (amseg dataset split).

    \b
    amseg train --data folder -o run
    amseg train --simulate esrf=3 --simulate aps=1 --shape 192x256 --batch-size 4 -o run
    amseg train --data folder --network amsegnet-lite --teacher run/preset -o small
    amseg segment frames/ --model run/preset -o results

    \b
    In OUT:
      preset/           the best weights, for --model of the other commands
      epochs.csv        loss and IoU of each epoch; curves.png, tensorboard/ show the same
      checkpoint.npz    all that --resume needs, at most two minutes old
      best.weights.h5   the best weights, for Keras
      run.json          what was asked for, versions, hardware, time

    Exit codes: 0 done, 1 an error, named in a sentence, 2 wrong use.
    """
    if (data is None) == (not simulate):
        raise click.UsageError("give either --data or --simulate")
    settings["augment"] = None if settings["augment"] == "none" else settings["augment"]
    try:
        recipe = Recipe(**settings)
        source = data or _simulation(simulate, frames_per_epoch, recipe)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    options: dict[str, Any] = {
        "start_from": start_from,
        "teacher": teacher,
        "kept_epochs": kept_epochs,
        "resume": resume,
    }
    with opencv_needed(), training_display() as show:
        if repeats == 1:
            _say(train(source, out, recipe, progress=show, **options))
            return
        summary = train_repeatedly(source, out, recipe, repeats, progress=show, **options)
    click.echo(summary.to_string(float_format=lambda value: f"{value:.4f}"))


def _simulation(texts: tuple[str, ...], frames: int, recipe: Recipe) -> Simulation:
    shares: dict[str, float] = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            raise ValueError(f"{text!r} is no share of a facility, such as esrf=0.75") from None
    return Simulation(shares, frames, recipe.shape)


def _say(run: TrainedRun) -> None:
    best = run.best
    click.echo(
        f"{run.preset}: mean IoU {best['mean_iou']:.3f} on the validation frames after epoch "
        f"{best['epoch'] + 1:.0f} of {len(run.history)}, {duration(run.seconds)}"
    )
