"""`amseg report`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.dataset.existing import one_sentence, say
from amseg_keras.command.ending import advance

if TYPE_CHECKING:
    from tqdm import tqdm


@click.command(no_args_is_help=True)
@click.argument("run", type=click.Path(path_type=Path))
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
