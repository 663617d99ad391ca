"""`amseg finetune`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.classes import MELT_POOL
from amseg_keras.command.choices import FINE_TUNING
from amseg_keras.command.dataset.existing import one_sentence, open_and_say
from amseg_keras.command.opencv import opencv_needed
from amseg_keras.command.training_display import duration, training_display
from amseg_keras.command.training_options import (
    data_option,
    facility_shares,
    recipe_options,
    run_option,
)

if TYPE_CHECKING:
    from amseg_keras.transfer import FineTunedRun


@click.command(no_args_is_help=True)
@data_option()
@run_option()
@click.option(
    "-m",
    "--model",
    default="amsegnet-esrf",
    show_default=True,
    help="Preset, preset folder or owner/repo to start from.",
)
@click.option(
    "--replay",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
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
    data: Path,
    out: Path,
    model: str,
    replay: float,
    simulate: tuple[str, ...],
    **settings: Any,
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
    _say(run, alone=sum(frame.label is not None for frame in opened.frames) == 1)


def _say(run: FineTunedRun, alone: bool) -> None:
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
