"""`amseg train`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.choices import (
    ANNEALINGS,
    CHANNELS,
    GREY_LEVELS,
    PAPER,
    PRECISIONS,
    SIMULATED_FRAMES,
    SIMULATED_KEPT,
    SIMULATED_REUSE,
)
from amseg_keras.command.opencv import opencv_needed
from amseg_keras.command.training_display import duration, training_display
from amseg_keras.command.training_options import (
    ChannelNames,
    data_option,
    facility_shares,
    recipe_options,
    run_option,
)
from amseg_keras.models.titles import TITLES

if TYPE_CHECKING:
    from amseg_keras.training import Recipe, Simulation, TrainedRun


@click.command("train", no_args_is_help=True)
@data_option(required=False)
@click.option(
    "--simulate",
    multiple=True,
    metavar="FACILITY[=SHARE]",
    help="Simulated recordings in place of a data set, or beside it: esrf, aps, dls, hpdc; several "
    "with shares.",
)
@click.option(
    "--simulated-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of simulated frames in each batch beside a data set.",
)
@click.option(
    "--frames-per-epoch",
    type=click.IntRange(min=1),
    default=SIMULATED_FRAMES,
    show_default=True,
    help="Number of simulated frames in an epoch.",
)
@click.option(
    "--reuse",
    type=click.FloatRange(min=1),
    default=SIMULATED_REUSE,
    show_default=True,
    help="How often a simulated frame is seen, each time cut and altered anew.",
)
@click.option(
    "--kept-frames",
    type=click.IntRange(min=1),
    default=SIMULATED_KEPT,
    show_default=True,
    help="Largest number of simulated frames on disk, 0.8 MB each.",
)
@click.option(
    "--melt-pool",
    is_flag=True,
    help="Liquid metal is a sixth class of the simulated frames: melt pool.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of simulated recordings that several trainings share.  [default: in OUT]",
)
@run_option()
@click.option(
    "--network", type=click.Choice(list(TITLES)), default=PAPER.network, show_default=True
)
@click.option(
    "--width", type=click.IntRange(min=1), help="Filters of the first block.  [default: its own]"
)
@click.option(
    "--student",
    "students",
    multiple=True,
    metavar="NETWORK[:WIDTH]",
    help="In place of --network: several networks on the same frames, each in OUT/NETWORK-WIDTH.",
)
@click.option(
    "--channels",
    type=ChannelNames(),
    default=",".join(PAPER.channels),
    show_default=True,
    help=f"Input channels: {', '.join(CHANNELS)}.",
)
@click.option(
    "--grey-levels",
    type=click.Choice(GREY_LEVELS),
    default=PAPER.grey_levels,
    show_default=True,
    help="How grey levels are stretched.",
)
@click.option(
    "--blank",
    type=click.FloatRange(0, 1),
    default=PAPER.blank,
    show_default=True,
    help="Share of the training frames without motion, so that the network serves single frames.",
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
@recipe_options(PAPER)
@click.option(
    "--annealing", type=click.Choice(ANNEALINGS), default=PAPER.annealing, show_default=True
)
@click.option(
    "--augment",
    type=click.Choice(["paper", "strong", "none"]),
    default=PAPER.augment,
    show_default=True,
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=PAPER.precision, show_default=True
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
    out: Path,
    students: tuple[str, ...],
    repeats: int,
    **settings: Any,
) -> None:
    """Train a network on a data set, or on simulated frames.

    The defaults are the paper's recipe: Adam, rate 1e-3 with annealing, batches of 16, 100 epochs,
    Dice plus focal loss with class weights. The data set needs the splits train and validation
    (amseg dataset split).

    \b
    amseg train --data folder -o run
    amseg train --simulate esrf=3 --simulate aps=1 --shape 192x256 --batch-size 4 -o run
    amseg train --simulate esrf --channels frame,motion --network amsegnet-lite -o movies
    amseg train --data folder --simulate aps --start-from amsegnet-esrf -o mine
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
    if data is None and not simulate:
        raise click.UsageError("give --data, --simulate, or both")
    if students and repeats > 1:
        raise click.UsageError("give either --student or --repeats")

    from amseg_keras.training import Recipe, train
    from amseg_keras.training.several import Student, train_repeatedly, train_students

    settings["augment"] = None if settings["augment"] == "none" else settings["augment"]
    options = {name: settings.pop(name) for name in _OF_TRAINING}
    feed = {name: settings.pop(name) for name in _OF_SIMULATION}
    share = settings.pop("simulated_share")
    try:
        recipe = Recipe(**settings)
        simulation = _simulation(simulate, recipe, feed) if simulate else None
        networks = [Student.parse(text) for text in students]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    source: Any = data or simulation
    if data is not None and simulation is not None:
        options |= {"mixed_with": simulation, "share": share}
    with opencv_needed(), training_display() as show:
        if networks:
            for run in train_students(
                source, out, recipe, networks, progress=show, **options
            ).values():
                _say(run)
            return
        if repeats == 1:
            _say(train(source, out, recipe, progress=show, **options))
            return
        summary = train_repeatedly(source, out, recipe, repeats, progress=show, **options)
    click.echo(summary.to_string(float_format=lambda value: f"{value:.4f}"))


_OF_TRAINING = ("start_from", "teacher", "kept_epochs", "store", "resume")
_OF_SIMULATION = ("frames_per_epoch", "reuse", "kept_frames", "melt_pool")


def _simulation(texts: tuple[str, ...], recipe: Recipe, feed: dict[str, Any]) -> Simulation:
    from amseg_keras.training import Simulation

    frames = feed["frames_per_epoch"]
    return Simulation(
        facility_shares(texts),
        frames,
        recipe.shape,
        # Few frames call a lucky epoch the best; many of them would hold up a short training.
        validation_frames=min(max(frames // 32, 24), 96),
        reuse=feed["reuse"],
        kept=feed["kept_frames"],
        melt_pool=feed["melt_pool"],
    )


def _say(run: TrainedRun) -> None:
    best = run.best
    click.echo(
        f"{run.preset}: mean IoU {best['mean_iou']:.3f} on the validation frames after epoch "
        f"{best['epoch'] + 1:.0f} of {len(run.history)}, {duration(run.seconds)}"
    )
