"""`amseg simulate`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import COUNT, FOLDER, WHOLE
from amseg_keras.command.ending import advance, one_sentence, opencv_needed
from amseg_keras.command.training_options import Shape

if TYPE_CHECKING:
    from amseg_keras.datasets import Dataset

from amseg_keras.command.choices import FACILITIES, PROCESSES


@click.command(no_args_is_help=True)
@click.option(
    "--facility",
    type=click.Choice(FACILITIES),
    required=True,
    help="Whose frames: pixel size, frame rate, beam, alloys, processes.",
)
@click.option("--process", type=click.Choice(PROCESSES), help="By default any of the facility's.")
@click.option("--frames", type=COUNT, default=40, help="Frames of a sequence.")
@click.option(
    "--sequences",
    type=COUNT,
    default=1,
    help="Sequences, each an experiment with its own alloy, laser power and speed.",
)
@click.option("--seed", type=WHOLE, default=0, help="Same seed, same frames.")
@click.option("--shape", type=Shape(), help="Size of a frame. Default: the facility's.")
@click.option("-o", "--out", type=FOLDER, required=True, help="Folder of the data set.")
def simulate(
    facility: str,
    process: str | None,
    frames: int,
    sequences: int,
    seed: int,
    shape: tuple[int, int] | None,
    out: Path,
) -> None:
    """Simulate labelled X-ray sequences, as a data set to train and to try with.

    The laser moves and the keyhole oscillates, pores pinch off, drift and freeze, as laser power
    and scan speed have it; both are in dataset.json. Frames of hpdc are neighbouring slices of a
    tomogram. After an interruption, the same command continues the run.

    \b
    amseg simulate --facility esrf --frames 40 --sequences 10 --seed 1 -o simulated
    amseg dataset info simulated

    Exit codes: 0 done, 1 it cannot be written, 2 wrong use.
    """
    from tqdm import tqdm

    with opencv_needed():
        from amseg_keras.runs.simulate import SimulateSettings, simulate_dataset
    from amseg_keras.runs import OutputError
    from amseg_keras.simulate import FACILITIES as PLACES

    ran = PLACES[facility].processes
    if process is not None and process not in ran:
        raise click.UsageError(f"--process {process}: {facility} has {', '.join(ran)}")
    try:
        settings = SimulateSettings(facility, frames, sequences, seed, process, shape)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--shape") from error
    with one_sentence(), tqdm(total=frames * sequences, unit="frame") as bar:
        try:
            data = simulate_dataset(out, settings, lambda done: advance(bar, done))
        except OutputError as error:
            raise click.UsageError(str(error)) from error
    _summarise(data)


def _summarise(data: Dataset) -> None:
    import pandas as pd

    height, width = data.image(data.frames[0]).shape
    click.echo(f"{data.folder}: {len(data.frames)} frames of {height}x{width}, simulated")
    shots = pd.DataFrame(data.other["sequences"]).T
    named = [
        name
        for name in ("process", "material", "power_W", "speed_mm_s", "mean_keyhole_depth_um")
        if name in shots
    ]
    click.echo(shots[named].head(12).to_string(float_format=lambda value: f"{value:.0f}"))
    if len(shots) > 12:
        click.echo(f"... and {len(shots) - 12} more sequences")
