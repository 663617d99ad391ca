"""`amseg quantify`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.command.choices import MEASURED_CLASSES, PATH, POSITIVE, SMALLEST_PORE_UM
from amseg_keras.command.ending import advance, finish
from amseg_keras.command.options import input_options

if TYPE_CHECKING:
    from amseg_keras.quantify.scale import Scale
    from amseg_keras.runs.labelled_experiment import LabelledExperiment
    from amseg_keras.runs.quantify import QuantifySettings

DIRECTIONS = {"right": 1, "left": -1}


def _parse_parameters(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for text in given:
        name, found, value = text.partition("=")
        if not (name.strip() and found and value.strip()):
            raise click.BadParameter(f"{text!r} is not like power_W=200")
        try:
            parameters[name.strip()] = float(value)
        except ValueError:
            parameters[name.strip()] = value.strip()
    return parameters


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="Output folder, a folder in it for each experiment. By default quantities/ in each INPUT "
    "of amseg segment.",
)
@click.option(
    "--pixel-size",
    type=POSITIVE,
    metavar="UM",
    help="Size of a pixel in um. Default: what is known of the labels.",
)
@click.option(
    "--assume-pixel-size",
    is_flag=True,
    help="Without a pixel size, take the pixel size of the network's training frames. "
    "All results in um are then marked as assumed.",
)
@click.option(
    "--frame-rate",
    type=POSITIVE,
    metavar="HZ",
    help="Frames per second. Default: what is known of the labels.",
)
@click.option(
    "--scan-direction",
    type=click.Choice(list(DIRECTIONS)),
    help="Which way the laser goes. Default: as the keyhole moves.",
)
@click.option(
    "--smallest-pore",
    type=POSITIVE,
    metavar="UM",
    default=SMALLEST_PORE_UM,
    help="Equivalent diameter below which a pore is a speckle.",
)
@click.option(
    "--all-keyholes",
    is_flag=True,
    help="Keep pieces of keyhole that stand still beside a moving keyhole, move against it or are "
    "far from its path. Default: they are left out of movies.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    callback=_parse_parameters,
    metavar="NAME=VALUE",
    help="Process parameter for amseg correlate: power_W=200, speed_mm_s=500, material=Ti6Al4V; "
    "may be given several times.",
)
@click.option(
    "--classes",
    default=",".join(CLASS_NAMES),
    help="Names of the ids 0, 1, ... of bare label maps.",
)
@click.option(
    "--absent",
    multiple=True,
    type=click.Choice(MEASURED_CLASSES),
    help="Class that the labels do not have, where they have classes of other names; may be given "
    "several times.",
)
@input_options
@click.option("--overwrite", is_flag=True, help="Replace the results of other labels in OUT.")
def quantify(
    inputs: tuple[str, ...],
    out: Path | None,
    classes: str,
    scan_direction: str | None,
    **chosen: Any,
) -> None:
    """Measure keyhole and pores in label maps, and follow the pores through time.

    INPUT is a folder of amseg segment (or one that holds several), a data set (each of its
    sequences is an experiment), or label maps as files: TIFF, PNG, HDF5 and what else amseg segment
    reads.

    \b
    amseg segment scan.h5 -o results
    amseg quantify results/scan --frame-rate 40000
    amseg quantify labels/ --pixel-size 2 -o measured

    \b
    For each experiment:
      frames.csv        keyhole area, depth, width, aperture, front-wall angle; surface; porosity
      pores.csv         every pore of every frame: area, depth, diameter, position, shape
      tracks.csv        every pore through time: birth, growth, drift, freezing, end
      events.csv        when pores were formed and when they ended
      *.parquet         the same tables, if amseg-keras[parquet] is installed
      melt_pool_boundary.csv  of networks that see the melt pool: its lower edge
      time_series.png   area and depth over time; time_series.pdf for a paper
      quantities.json   the experiment in a few numbers, and how they were measured

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use.
    """
    from amseg_keras.runs.labelled_experiment import find_experiments
    from amseg_keras.runs.quantify import QuantifySettings

    settings = QuantifySettings(
        pixel_size_um=chosen["pixel_size"],
        frame_rate_hz=chosen["frame_rate"],
        scan_direction=DIRECTIONS.get(scan_direction or ""),
        smallest_pore_um=chosen["smallest_pore"],
        parameters=chosen["parameters"],
        overwrite=chosen["overwrite"],
        absent=chosen["absent"],
        assume_pixel_size=chosen["assume_pixel_size"],
        all_keyholes=chosen["all_keyholes"],
    )
    names = tuple(name.strip() for name in classes.split(","))
    experiments, errors = find_experiments(inputs, names, chosen["reading"])
    folders = [_folder_of(experiment, out) for experiment in experiments]
    for experiment, folder in zip(experiments, folders, strict=True):
        errors += _quantify_one(experiment, folder, settings)
    finish(errors)


def _folder_of(experiment: LabelledExperiment, out: Path | None) -> Path:
    from amseg_keras.runs.quantify import FOLDER

    if out is not None:
        return out / experiment.name
    if experiment.home is None:
        raise click.UsageError("labels that are no folder of amseg segment need -o OUT")
    return experiment.home / FOLDER


def _quantify_one(
    experiment: LabelledExperiment, folder: Path, settings: QuantifySettings
) -> list[str]:
    """Measure one experiment with a progress bar; the errors it met, one sentence each."""
    from tqdm import tqdm

    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError
    from amseg_keras.runs.quantify import quantify_experiment

    try:
        with tqdm(total=experiment.count, desc=experiment.name, unit="frame") as bar:
            found = quantify_experiment(
                experiment, folder, settings, lambda done: advance(bar, done)
            )
    except (ReadError, OutputError) as error:
        return [str(error)]
    for note in _notes(experiment, found.scale):
        click.echo(f"  {experiment.name}: {note}", err=True)
    click.echo(f"{experiment.name}: {_headline(found.summary)} -> {folder}")
    return []


def _notes(experiment: LabelledExperiment, scale: Scale) -> list[str]:
    from amseg_keras.quantify.scale import ASSUMED, said_of_pixel_size

    notes = list(experiment.notes)
    if scale.pixel_size_um is None:
        notes.append("the pixel size is not known: all results are in pixels; give --pixel-size")
    elif scale.pixel_size_assumed:
        notes += said_of_pixel_size(scale.pixel_size_um, ASSUMED)
    if scale.frame_rate_hz is None:
        notes.append("frame rate not known, so that there are no times; give --frame-rate")
    return notes


def _headline(summary: dict[str, Any]) -> str:
    from amseg_keras.quantify.scale import SIZE_FROM

    parts = [f"keyhole in {summary['keyhole_frames']} of {summary['frames']} frames"]
    if summary["keyhole_frames"]:
        unit = "um" if "median_keyhole_depth_um" in summary else "px"
        assumed = " (pixel size assumed)" if SIZE_FROM in summary else ""
        depth = summary[f"median_keyhole_depth_{unit}"]
        parts.append(f"median depth {depth:.0f} {unit}{assumed}")
    formed = summary["pores_formed"]
    parts.append(f"{formed} pore{'s' * (formed != 1)} formed")
    if summary["pores_static"]:
        parts.append(f"{summary['pores_static']} static (old pores or dirt)")
    if left := summary.get("phantoms_removed"):
        pieces = "piece" if left == 1 else "pieces"
        parts.append(f"{left} {pieces} of keyhole left out (--all-keyholes keeps them)")
    return ", ".join(parts)
