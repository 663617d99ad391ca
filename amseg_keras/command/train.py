"""`amseg train` and `amseg finetune`: train a network from the beginning, or on from a preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.classes import MELT_POOL
from amseg_keras.command.choices import (
    ANNEALINGS,
    CHANNELS,
    COUNT,
    FINE_TUNING,
    FOLDER,
    GREY_LEVELS,
    PAPER,
    PRECISIONS,
    SIMULATED_FRAMES,
    SIMULATED_KEPT,
    SIMULATED_REUSE,
)
from amseg_keras.command.ending import one_sentence, open_and_say, opencv_needed
from amseg_keras.command.training_options import (
    ChannelNames,
    data_option,
    duration,
    facility_shares,
    recipe_options,
    run_option,
    training_display,
)
from amseg_keras.models.titles import TITLES

if TYPE_CHECKING:
    from amseg_keras.training import Recipe, Simulation, TrainedRun
    from amseg_keras.transfer import FineTunedRun


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
    help="Share of simulated frames in each batch beside a data set.",
)
@click.option(
    "--frames-per-epoch",
    type=COUNT,
    default=SIMULATED_FRAMES,
    help="Number of simulated frames in an epoch.",
)
@click.option(
    "--reuse",
    type=click.FloatRange(min=1),
    default=SIMULATED_REUSE,
    help="How often a simulated frame is seen, each time cut and altered anew.",
)
@click.option(
    "--kept-frames",
    type=COUNT,
    default=SIMULATED_KEPT,
    help="Largest number of simulated frames on disk, 0.8 MB each.",
)
@click.option(
    "--melt-pool",
    is_flag=True,
    help="Liquid metal is a sixth class of the simulated frames: melt pool.",
)
@click.option(
    "--store",
    type=FOLDER,
    help="Folder of simulated recordings that several trainings share.  [default: in OUT]",
)
@run_option()
@click.option("--network", type=click.Choice(list(TITLES)), default=PAPER.network)
@click.option("--width", type=COUNT, help="Filters of the first block.  [default: its own]")
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
    help=f"Input channels: {', '.join(CHANNELS)}.",
)
@click.option(
    "--grey-levels",
    type=click.Choice(GREY_LEVELS),
    default=PAPER.grey_levels,
    help="How grey levels are stretched.",
)
@click.option(
    "--blank",
    type=click.FloatRange(0, 1),
    default=PAPER.blank,
    help="Share of the training frames without motion, so that the network serves single frames.",
)
@click.option("--start-from", metavar="PRESET", help="Begin with the weights of a preset.")
@click.option(
    "--without-motion",
    is_flag=True,
    help="Leave out the motion channel of --start-from: for a network of single frames.",
)
@click.option(
    "--teacher", metavar="PRESET", help="Learn from a trained network too: for a small --network."
)
@click.option(
    "--kept-epochs",
    type=COUNT,
    help="After so many epochs, the same batches again: where a simulator or a teacher is slow.",
)
@recipe_options(PAPER)
@click.option("--annealing", type=click.Choice(ANNEALINGS), default=PAPER.annealing)
@click.option("--augment", type=click.Choice(["paper", "strong", "none"]), default=PAPER.augment)
@click.option("--precision", type=click.Choice(PRECISIONS), default=PAPER.precision)
@click.option(
    "--repeats",
    type=COUNT,
    default=1,
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
    if settings["without_motion"] and not settings["start_from"]:
        raise click.UsageError("--without-motion needs --start-from, a preset with motion")

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
                _say_trained(run)
            return
        if repeats == 1:
            _say_trained(train(source, out, recipe, progress=show, **options))
            return
        summary = train_repeatedly(source, out, recipe, repeats, progress=show, **options)
    click.echo(summary.to_string(float_format=lambda value: f"{value:.4f}"))


_OF_TRAINING = ("start_from", "without_motion", "teacher", "kept_epochs", "store", "resume")
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


def _say_trained(run: TrainedRun) -> None:
    best = run.best
    click.echo(
        f"{run.preset}: mean IoU {best['mean_iou']:.3f} on the validation frames after epoch "
        f"{best['epoch'] + 1:.0f} of {len(run.history)}, {duration(run.seconds)}"
    )


@click.command(no_args_is_help=True)
@data_option()
@run_option()
@click.option(
    "-m",
    "--model",
    default="amsegnet-esrf",
    help="Preset, preset folder or owner/repo to start from.",
)
@click.option(
    "--replay",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    help="Share of simulated frames in each batch, so that the network forgets nothing; 0: none.",
)
@click.option(
    "--simulate",
    multiple=True,
    metavar="FACILITY[=SHARE]",
    help="Facilities of the simulated frames: esrf, aps, dls, hpdc.  [default: by the classes of "
    "the data set]",
)
@recipe_options(FINE_TUNING)
@click.option(
    "--from-scratch",
    is_flag=True,
    help="Train the same network from random weights too, and compare.",
)
@click.option("--resume", is_flag=True, help="Go on with the training in OUT.")
def finetune(
    data: Path, out: Path, model: str, replay: float, simulate: tuple[str, ...], **settings: Any
) -> None:
    """Fine-tune a trained network on your own labelled frames.

    Five frames are enough to begin with; a single one tunes the network to its own recording. The
    network gets the classes of the data set; classes that it knows by name keep their weights.
    Frames without labels help: the background of a movie network is made of them, too. Without a
    split in the data set, whole sequences or the last fifth of each are held out. Training stops
    when the scores on held-out frames no longer rise. Before it begins, amseg measures and prints
    how long the training will take.

    \b
    amseg finetune --data my_frames -o tuned
    amseg evaluate --run tuned --data my_frames       scores of the held-out frames
    amseg segment scan/ --model tuned/preset -o results

    \b
    In OUT: what amseg train writes, and
      split.csv         which frames were trained on, and which were held out
      before.json       scores on the held-out frames before the first step
    With --from-scratch also
      from_scratch/     the other training
      transfer.csv      IoU of each class, of both, on the test frames
      transfer.png      both trainings side by side

    Exit codes: 0 done, 1 an error, named in a sentence, 2 wrong use.
    """
    with one_sentence():
        opened = open_and_say(data)

    from amseg_keras.training import Simulation
    from amseg_keras.transfer import FINE_TUNING as RECIPE
    from amseg_keras.transfer import fine_tune
    from amseg_keras.transfer.prepare import facilities_to_replay

    flags = {name: settings.pop(name) for name in ("from_scratch", "resume")}
    try:
        recipe = replace(RECIPE, **settings)
        shares = facility_shares(simulate) if simulate else facilities_to_replay(opened.class_names)
        pool = MELT_POOL in opened.class_names
        simulation = Simulation(shares, melt_pool=pool) if shares and replay else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if replay and simulation is None:
        click.echo(
            "no simulated frames are mixed in: the simulator has other classes than the data set; "
            "other recordings may be segmented worse than before",
            err=True,
        )
    with opencv_needed(), training_display() as show:
        run = fine_tune(
            opened,
            out,
            model,
            recipe,
            mixed_with=simulation,
            share=replay,
            **flags,
            progress=show,
            expected=lambda seconds: click.echo(
                f"about {duration(seconds)}, less if it stops early", err=True
            ),
        )
    _say_fine_tuned(run, alone=sum(frame.label is not None for frame in opened.frames) == 1)


def _say_fine_tuned(run: FineTunedRun, alone: bool) -> None:
    import pandas as pd

    best = run.tuned.best
    where = "the frame that it was trained on" if alone else "the held-out frames"
    click.echo(
        f"{run.tuned.preset}: mean IoU {best['mean_iou']:.3f} on {where} after epoch "
        f"{best['epoch'] + 1:.0f}, {duration(run.tuned.seconds)}"
    )
    if alone:
        click.echo(
            "one labelled frame: the network is tuned to its recording, and the score says nothing "
            "of other frames; look at their overlays"
        )
    if run.before is not None:
        names = [name for name in best.index if name == "mean_iou" or name.startswith("iou_")]
        table = pd.DataFrame({"IoU before": run.before[names], "IoU after": best[names]})
        table.index = pd.Index([name.removeprefix("iou_") for name in names])
        click.echo(table.to_string(float_format=lambda value: f"{value:.3f}", na_rep="-"))
        if best["mean_iou"] < run.before["mean_iou"]:
            click.echo(
                "the network was better on these frames before: look at the labels, or give more "
                "frames"
            )
    if run.comparison is not None:
        click.echo(run.comparison.to_string(float_format=lambda value: f"{value:.3f}"))
