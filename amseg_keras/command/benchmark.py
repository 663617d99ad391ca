"""`amseg benchmark`: measure networks against each other, and engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.choices import COUNT, FOLDER, PAPER, TIMED_ENGINES, TIMING_ROUNDS
from amseg_keras.command.ending import finish, open_and_say
from amseg_keras.command.training_options import (
    Shape,
    TrainingDisplay,
    data_option,
    recipe_options,
    training_display,
)
from amseg_keras.models.titles import OF_THE_PAPER, TITLES

if TYPE_CHECKING:
    from amseg_keras.training import Progress


@click.command("speed", no_args_is_help=True)
@click.option("-o", "--out", required=True, type=FOLDER, help="Folder for the tables.")
@click.option(
    "--networks",
    multiple=True,
    type=click.Choice(list(TITLES)),
    default=("amsegnet", "amsegnet-lite"),
    help="Which; may be given several times.",
)
@click.option(
    "--engines",
    multiple=True,
    type=click.Choice(TIMED_ENGINES),
    default=TIMED_ENGINES,
    help="Which; may be given several times.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    type=Shape(),
    default=("256x512",),
    help="Of frames; may be given several times; multiples of 16.",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    multiple=True,
    type=COUNT,
    default=(1, 4),
    help="Frames at once; may be given several times.",
)
@click.option("--rounds", type=COUNT, default=7)
@click.option(
    "--waits/--no-waits",
    default=True,
    help="Measure too what people wait for: start, first label, one frame at a time, file to file.",
)
@click.option("--only-waits", is_flag=True, help="Measure nothing else; needs no Keras.")
@click.option(
    "--waits-of",
    "presets",
    multiple=True,
    default=("amsegnet-movie", "amsegnet-esrf"),
    help="Presets to wait for; may be given several times.",
)
@click.option(
    "--note", default="", show_default=False, help="Other work of the machine, for the record."
)
def speed_command(
    out: Path,
    networks: tuple[str, ...],
    engines: tuple[str, ...],
    shapes: tuple[tuple[int, int], ...],
    batch_sizes: tuple[int, ...],
    rounds: int,
    waits: bool,
    only_waits: bool,
    presets: tuple[str, ...],
    note: str,
) -> None:
    """Time the networks on every engine, in turn.

    \b
    amseg benchmark speed -o speed
    amseg benchmark speed --networks amsegnet --networks unet --engines openvino -o speed

    \b
    In OUT:
      speed.md     ms per frame, ratios, GMAC/s and the share of the machine's peak
      speed.csv    the same, all digits
      rounds.csv   seconds of every round
      waits.md     what people wait for, each with its limit (waits.csv: every round)

    Exit codes: 0 done, 1 an engine is not installed or cannot run here, 2 wrong use.
    """
    if only_waits:
        _measure_waits(out, presets, min(rounds, _ROUNDS_OF_WAITS), note)
        return
    from tqdm import tqdm

    from amseg_keras.atomic import complete_or_absent
    from amseg_keras.backend import hardware
    from amseg_keras.comparison.speed import (
        measurable_peaks,
        measure_speed,
        summarise_speed,
        timed_networks,
    )
    from amseg_keras.engines import EngineMissingError
    from amseg_keras.outputs import write_json
    from amseg_keras.report.learning import speed_markdown
    from amseg_keras.versions import versions

    if any(side % 16 for shape in shapes for side in shape):
        raise click.UsageError("--shape: height and width must be multiples of 16")
    try:
        cases, notes = timed_networks(networks, engines, shapes[0])
    except (EngineMissingError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    peaks = measurable_peaks()
    with tqdm(total=rounds + 1, unit="round") as bar:

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)

        times = measure_speed(cases, peaks, shapes, batch_sizes, rounds, progress=show)
    table = summarise_speed(times)
    conditions = {
        "rounds": rounds,
        "hardware": hardware(),
        "versions": versions(),
        "peaks": {p.precision: float(times[f"peak_{p.precision}"].max()) for p in peaks},
        "notes": notes,
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("speed.csv", table), ("rounds.csv", times)):
        with complete_or_absent(out / name) as temporary:
            rows.to_csv(temporary, index=False)
    text = speed_markdown(table, conditions)
    with complete_or_absent(out / "speed.md") as temporary:
        temporary.write_text(text, "utf-8")
    write_json(out / "speed.json", conditions)
    click.echo(text)
    if waits:
        _measure_waits(out, presets, min(rounds, _ROUNDS_OF_WAITS), note)


_ROUNDS_OF_WAITS = 3


def _measure_waits(out: Path, presets: tuple[str, ...], rounds: int, note: str) -> None:
    """Measure the waits on the engine that needs no Keras, and print their table."""
    from tqdm import tqdm

    from amseg_keras.backend import hardware
    from amseg_keras.engines.choose import WITHOUT_KERAS
    from amseg_keras.engines.engine import installed
    from amseg_keras.runs.waits import measure_waits, write_waits
    from amseg_keras.versions import versions

    engine = next((name for name in WITHOUT_KERAS if installed(name)), None)
    if engine is None:
        click.echo("no waits measured: run pip install 'amseg-keras[runtime]'", err=True)
        return
    with tqdm(total=rounds, unit="round") as bar:
        found = measure_waits(
            presets, engine, rounds=rounds, progress=lambda done, _: bar.update(done - bar.n)
        )
    about: dict[str, object] = {
        "rounds": rounds,
        "hardware": hardware(),
        "versions": versions(),
        "beside": note or "not said",
    }
    click.echo(write_waits(out, found, about))


@click.group()
def benchmark() -> None:
    """Measure networks against each other."""


benchmark.add_command(speed_command)


@benchmark.command("networks", no_args_is_help=True)
@data_option(text="Folder of a data set with the splits train, validation and test.")
@click.option(
    "-o", "--out", required=True, type=FOLDER, help="Folder for tables, plots and trainings."
)
@click.option(
    "--networks",
    multiple=True,
    type=click.Choice(list(TITLES)),
    help="Which; may be given several times. By default the five of the paper.",
)
@recipe_options(PAPER)
@click.option(
    "--rounds", type=COUNT, default=TIMING_ROUNDS, help="How often each network is timed."
)
def networks_command(
    data: Path, out: Path, networks: tuple[str, ...], rounds: int, **settings: Any
) -> None:
    """Compare the networks of the paper on a data set (its table 2 and figure 4).

    Each is trained by the same recipe on the same batches and evaluated on the test frames. Then
    all are timed in turn: a training step of 2 frames and the segmentation of a frame, of 256x512
    pixels. After an interruption, the same command continues the run.

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
    from amseg_keras.report.learning import readable_table
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
