"""`amseg evaluate`"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import FOLDER, PATH, SPLITS, WHOLE
from amseg_keras.command.ending import advance, finish, one_sentence, open_and_say
from amseg_keras.command.options import model_options, opened_model

if TYPE_CHECKING:
    from tqdm import tqdm

    from amseg_keras.evaluation import Evaluation


@click.command(no_args_is_help=True)
@model_options
@click.option(
    "-d", "--data", "data_folder", required=True, type=PATH, help="Folder of the data set."
)
@click.option(
    "--run",
    type=FOLDER,
    help="Folder that amseg finetune wrote: evaluate its preset on the frames that it held out.",
)
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    help="Which frames; all: every frame with labels.  [default: test; with --run validation where "
    "no frames are for a test]",
)
@click.option(
    "--worst",
    type=WHOLE,
    default=6,
    metavar="N",
    help="How many of the worst frames become pictures.",
)
@click.option(
    "-o", "--out", type=FOLDER, help="Output folder. Without it, only the table is printed."
)
@click.option("--overwrite", is_flag=True, help="Replace the results of another run in OUT.")
def evaluate(
    model: str,
    revision: str | None,
    data_folder: Path,
    run: Path | None,
    split: str | None,
    worst: int,
    out: Path | None,
    overwrite: bool,
    device: str,
) -> None:
    """Compare the labels of a network with true labels.

    IoU, F1, precision, recall and boundary F1 of every class, from the pixels of all frames
    together; by material and sequence; pores found; a confusion matrix; the worst frames.

    \b
    amseg evaluate --data folder                            the table of the test split
    amseg evaluate --data folder --split all -o evaluation  all frames, with a report
    amseg evaluate --run tuned --data folder                what a fine-tuning held out

    \b
    In OUT:
      report.html          all results, in one file
      classes.csv          scores of every class
      frames.csv           scores of every frame
      confusion.csv, .png  pixels by labelled and predicted class
      worst/*.png          the worst frames beside their labels
      evaluation.json      all numbers, model, versions, times

    Exit codes: 0 all done, 1 something could not be read (named at the end), 2 wrong use.
    """
    from tqdm import tqdm

    from amseg_keras.runs.evaluate import EvaluateSettings, run_evaluation

    with one_sentence():
        data = open_and_say(data_folder)
        if run is not None:
            from amseg_keras.transfer.prepare import data_of_run

            if model != "auto":
                raise click.UsageError("give --run or --model, not both")
            data, model = data_of_run(run, data_folder), str(run / "preset")
            if split is None and not data.of_split("test").frames:
                split = "validation"
                click.echo(
                    "these are the frames that the training stopped by: the scores flatter a "
                    "little",
                    err=True,
                )
        split = split or "test"
        with opened_model(model, revision, device) as opened:
            settings = EvaluateSettings(
                None if split == "all" else split, worst, opened.device, overwrite
            )
            # Not shown before the first frame is done, because an error may come instead.
            with tqdm(unit="frame", delay=1e-3) as bar:
                network, digest, show = opened.segmenter, opened.digest, partial(_show, bar)
                evaluation = run_evaluation(network, digest, data, out, settings, show)
    _print(evaluation)
    finish(evaluation.errors)


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    advance(bar, done)
    if done == total:
        bar.close()  # the pictures that follow are no frames


def _print(evaluation: Evaluation) -> None:
    click.echo(f"{evaluation.model.name} on {evaluation.data.folder}, {evaluation.split or 'all'}")
    click.echo(f"trained on  {evaluation.model.trained_on}")
    if evaluation.data.origin:
        click.echo(f"frames      {evaluation.data.origin}")
    classes = evaluation.classes
    shown = classes.to_string(
        formatters={"share": "{:.4%}".format}, float_format="{:.3f}".format, na_rep="-"
    )
    click.echo(f"\n{shown}")
    frames = len(evaluation.counts)
    click.echo(
        f"\nmean IoU {evaluation.mean_iou:.3f}, mean F1 {evaluation.mean_f1:.3f}, of "
        f"{frames} frame{'s' * (frames != 1)}"
    )
    if absent := [str(name) for name in classes.index[classes["truth_pixels"] == 0]]:
        click.echo(f"without labels, and in no mean: {', '.join(absent)}")
    if (pores := evaluation.pores) is not None:
        recall = f", {pores.recall:.1%} of them found" if pores.true else ""
        precision = f", {pores.precision:.1%} of them right" if pores.found else ""
        click.echo(f"pores: {pores.true} labelled{recall}; {pores.found} found{precision}")
    if evaluation.unlabelled:
        click.echo(f"  {evaluation.unlabelled} frames without labels left out", err=True)
