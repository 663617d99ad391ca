"""`amseg report` and `amseg correlate`: show what was measured in one experiment, or in many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import FOLDER, PATH
from amseg_keras.command.ending import advance, finish, one_sentence, say

if TYPE_CHECKING:
    import pandas as pd
    from tqdm import tqdm

    from amseg_keras.quantify.study import Plane, Study


@click.command(no_args_is_help=True)
@click.argument("run", type=PATH)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The report. Default: RUN/report.html.",
)
@click.option("--movie", is_flag=True, help="Make a movie of recording, labels and plots too.")
def report(run: Path, out: Path | None, movie: bool) -> None:
    """Show one experiment in a file that opens in any browser.

    RUN is the folder of one stack that amseg segment and amseg quantify have finished.

    \b
    amseg report results/scan_0001                      results/scan_0001/report.html
    amseg report results/scan_0001 -o scan.html --movie

    \b
    Beside the report, under its name:
      report_figures/   time series, histogram and spectrum as PDF and PNG
      report_movie.mp4  the recording, its labels and running plots

    Exit codes: 0 all done, 1 something could not be read or written, 2 wrong use.
    """
    from tqdm import tqdm

    from amseg_keras.runs.report import report_run

    with one_sentence(), tqdm(unit="frame", delay=1e-3, disable=not movie) as bar:
        done = report_run(run, out, movie, lambda frames, total: _show(bar, frames, total))
    say(done.notes)
    for path in (done.page, done.movie):
        if path is not None:
            click.echo(path)


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    advance(bar, done)


@click.command(no_args_is_help=True)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=PATH)
@click.option("-o", "--out", required=True, type=FOLDER, help="Output folder.")
@click.option(
    "--parameters",
    type=PATH,
    metavar="TABLE",
    help="CSV or TSV with a column run (folder names) and any of material, process, power_W, "
    "speed_mm_s and others.",
)
@click.option("--x", "x", metavar="COLUMN", help="With --y: one more correlation map.")
@click.option("--y", "y", metavar="COLUMN", help="Column of experiments.csv, as for --x.")
@click.option(
    "--title",
    default="",
    show_default=False,
    help="Title of every figure, for example: simulated experiments.",
)
@click.option("--overwrite", is_flag=True, help="Replace the result of other experiments in OUT.")
def correlate(
    runs: tuple[Path, ...],
    out: Path,
    parameters: Path | None,
    x: str | None,
    y: str | None,
    title: str,
    overwrite: bool,
) -> None:
    """Compare experiments with and without pores: fluctuation, size, power and speed.

    RUN is a folder that amseg quantify wrote, or the one of amseg segment that it is in, one for
    each experiment. An experiment has pores where one formed from the keyhole during the recording.

    \b
    amseg correlate results/* -o study
    amseg correlate results/* --parameters parameters.csv -o study
    amseg correlate results/* --x speed_mm_s --y porosity -o study

    \b
    In OUT:
      experiments.csv            one row for each experiment
      experiments.parquet        the same, if amseg-keras[parquet] is installed
      correlation.png, .pdf      keyhole area with and without pores; fluctuation; area and depth
      power_speed.png, .pdf      laser power and scan speed, where they are known
      Y_against_X.png, .pdf      the map of --x and --y
      correlation.json           coefficients, ellipses, dividing lines with their accuracy

    Exit codes: 0 all done, 1 something could not be read (named at the end), 2 wrong use.
    """
    from amseg_keras.runs.correlate import (
        CorrelateSettings,
        read_experiments,
        read_parameters,
        run_correlation,
    )

    if (x is None) != (y is None):
        raise click.UsageError("--x and --y go together.")
    plane = None if x is None or y is None else (x, y)
    with one_sentence():
        given = None if parameters is None else read_parameters(parameters)
        experiments = read_experiments(runs, given)
        study = run_correlation(
            experiments, [str(run) for run in runs], out, CorrelateSettings(plane, title, overwrite)
        )
    _print(study)
    click.echo(f"{out / 'correlation.png'}")
    say(study.notes)
    finish(experiments.errors)


def _print(study: Study) -> None:
    pores = int(study.table["has_pores"].sum())
    present = study.table.get("pores_present")
    seen = "" if present is None else f"{int((present > 0).sum())} with pores present, "
    click.echo(f"{len(study.table)} experiments, {seen}{pores} with pores formed at the keyhole")
    for plane in study.planes:
        click.echo(f"{plane.y} against {plane.x}: {_said(plane)}")
    shown = study.correlations[study.correlations["pores"] == "has_pores"].set_index("quantity")
    coefficients: pd.DataFrame = shown[["pearson", "spearman"]].dropna(how="all")
    if coefficients.empty:
        click.echo("\nno correlation with pores: too few experiments, or all of one kind")
        return
    numbers = coefficients.to_string(float_format="{:.2f}".format, na_rep="-")
    click.echo(f"\ncorrelation with pores formed at the keyhole\n{numbers}")


def _said(plane: Plane) -> str:
    if plane.line is None:
        return "no dividing line"
    return (
        f"dividing line {plane.line.accuracy:.0%} right, "
        f"the larger group is {plane.line.majority_accuracy:.0%}"
    )
