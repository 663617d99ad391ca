"""`amseg benchmark speed`"""

from __future__ import annotations

from pathlib import Path

import click

from amseg_keras.command.choices import TIMED_ENGINES
from amseg_keras.command.training_options import Shape
from amseg_keras.models.titles import TITLES


@click.command("speed", no_args_is_help=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the tables.",
)
@click.option(
    "--networks",
    multiple=True,
    type=click.Choice(list(TITLES)),
    default=("amsegnet", "amsegnet-lite"),
    show_default=True,
    help="Which; may be given several times.",
)
@click.option(
    "--engines",
    multiple=True,
    type=click.Choice(TIMED_ENGINES),
    default=TIMED_ENGINES,
    show_default=True,
    help="Which; may be given several times.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    type=Shape(),
    default=("256x512",),
    show_default=True,
    help="Of frames; may be given several times; multiples of 16.",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    multiple=True,
    type=click.IntRange(min=1),
    default=(1, 4),
    show_default=True,
    help="Frames at once; may be given several times.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
def speed_command(
    out: Path,
    networks: tuple[str, ...],
    engines: tuple[str, ...],
    shapes: tuple[tuple[int, int], ...],
    batch_sizes: tuple[int, ...],
    rounds: int,
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

    Exit codes: 0 done, 1 an engine is not installed or cannot run here, 2 wrong use.
    """
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
    from amseg_keras.report.comparison_table import speed_markdown
    from amseg_keras.versions import versions

    if any(side % 16 for shape in shapes for side in shape):
        raise click.UsageError("--shape: height and width must be multiples of 16")
    try:
        cases, notes = timed_networks(networks, engines, shapes[0])
    except (EngineMissingError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    peaks = measurable_peaks()
    with tqdm(total=rounds + 1, unit="round") as bar:
        times = measure_speed(
            *(cases, peaks, shapes, batch_sizes, rounds),
            progress=lambda done, _: bar.update(done - bar.n),
        )
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
