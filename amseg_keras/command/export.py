"""`amseg export` and `amseg convert`: trained networks for other software, and from it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import EXPORT_FORMATS, FOLDER, LABEL_EXPORTS, NGFF_VERSIONS, PATH
from amseg_keras.command.ending import advance, finish

if TYPE_CHECKING:
    from amseg_keras.engines.graph import Output
    from amseg_keras.report.label_exports import Ngff

BIOIMAGEIO = "bioimageio"


@click.command(no_args_is_help=True)
@click.argument("what", metavar="PRESET|RESULT")
@click.option(
    "-o",
    "--out",
    required=True,
    type=FOLDER,
    help="Output folder; for a network empty or not there yet.",
)
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice([*EXPORT_FORMATS, BIOIMAGEIO, *LABEL_EXPORTS]),
    help="Default: onnx, for a network.",
)
@click.option(
    "--labels/--probabilities",
    "labels",
    default=None,
    help="What the network gives: class ids, or the probability of every class.  [default: "
    "labels; bioimageio: probabilities]",
)
@click.option("--height", type=click.IntRange(min=16), help="Height of the frames. Default: any.")
@click.option("--width", type=click.IntRange(min=16), help="Width of the frames. Default: any.")
@click.option("--revision", help="Tag, branch or commit of an owner/repo.")
@click.option("--author", "authors", multiple=True, help="For bioimageio; may be given often.")
@click.option("--license", "license_", metavar="SPDX", help="For bioimageio, as CC-BY-4.0.")
@click.option(
    "--ngff",
    type=click.Choice(NGFF_VERSIONS),
    default="0.5",
    help="Version of OME-Zarr: 0.4 is Zarr 2, 0.5 is Zarr 3.",
)
def export(
    what: str,
    out: Path,
    kind: str | None,
    labels: bool | None,
    height: int | None,
    width: int | None,
    revision: str | None,
    authors: tuple[str, ...],
    license_: str | None,
    ngff: str,
) -> None:
    """Write a trained network or label maps for other software.

    PRESET is a trained network (see: amseg presets), a preset folder, or owner/repo on the Hugging
    Face Hub. It is rewritten to one that computes the same with less, and run once on a sample
    frame after writing.

    \b
    In OUT:
      model.onnx           the network (model.xml and .bin, saved_model/, model.tflite)
      preprocessing.json   grey levels, class names, pixel size
      README.md            what goes in and what comes out, with an example that runs
      rdf.yaml             bioimageio only: a model package, valid by bioimage.io's own validator

    onnx and openvino need OpenVINO or ONNX Runtime, as of `pip install 'amseg-keras[runtime]'`, to
    run what was written; bioimageio needs `amseg-keras[bioimageio]`; tf_saved_model and litert need
    TensorFlow.

    RESULT is a folder of amseg segment, a data set, or label maps. Each recording is a file in OUT:

    \b
      NAME-rois.zip        imagej-rois: an outline for each piece of a class, for the ROI Manager
      NAME.ome.tif         ome-tiff: class ids with pixel size and frame rate
      NAME.ome.zarr        ome-zarr: the frames, with class ids, names and colours as labels

    `amseg dataset import --masks` reads all three.

    Exit codes: 0 done, 1 it could not be written, 2 wrong use.
    """
    if kind in LABEL_EXPORTS:
        _export_labels(what, out, kind, ngff)
        return
    if (Path(what) / "run.json").is_file():
        raise click.BadParameter(
            f"{what} is a result of amseg segment; give one of {', '.join(LABEL_EXPORTS)}",
            param_hint="--format",
        )
    kind = kind or "onnx"
    if kind != BIOIMAGEIO and (authors or license_):
        raise click.UsageError("--author and --license are for --format bioimageio")
    if kind == BIOIMAGEIO and labels:
        raise click.UsageError("packages of bioimage.io give probabilities; leave --labels out")
    for name, side in (("--height", height), ("--width", width)):
        if side is not None and side % 16:
            raise click.BadParameter(f"{side} is not a multiple of 16", param_hint=name)
    _export_network(what, revision, out, kind, labels, (height, width), (authors, license_))


def _export_network(
    preset: str,
    revision: str | None,
    out: Path,
    kind: str,
    labels: bool | None,
    size: tuple[int | None, int | None],
    publishing: tuple[tuple[str, ...], str | None],
) -> None:
    from amseg_keras.pretrained import PresetError, find_preset

    try:
        folder = find_preset(preset, revision)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="PRESET") from error

    from amseg_keras.engines.engine import EngineMissingError
    from amseg_keras.engines.formats import ExportError
    from amseg_keras.runs.export import export_network
    from amseg_keras.runs.export_bioimageio import (
        Published,
        export_bioimageio,
        takes_recorded_frames,
    )
    from amseg_keras.segment import from_pretrained

    try:
        segmenter = from_pretrained(folder)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="PRESET") from error
    info = segmenter.info
    try:
        if kind == BIOIMAGEIO:
            done = export_bioimageio(segmenter.model, info, out, size, Published(*publishing))
            if not takes_recorded_frames(info):
                click.echo(
                    f"  {info.name}: the package takes inputs that are made as its README.md says, "
                    "not frames as recorded",
                    err=True,
                )
        else:
            output: Output = "probabilities" if labels is False else "labels"
            done = export_network(segmenter, out, kind, output, size)
    except (ExportError, EngineMissingError, ValueError) as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    except OSError as error:
        click.echo(f"amseg: {out}: cannot be written ({error.strerror or error})", err=True)
        raise SystemExit(1) from error
    equal = f"{done.equal_labels:.3%} of a sample frame's labels are those of amseg segment"
    click.echo(f"{done.file}: {equal}")


def _export_labels(result: str, out: Path, kind: str, ngff: str) -> None:
    from tqdm import tqdm

    from amseg_keras.outputs import OutputError
    from amseg_keras.read import ReadError
    from amseg_keras.runs.labelled_experiment import export_labels, find_experiments

    experiments, errors = find_experiments([result])
    for experiment in experiments:
        try:
            with tqdm(total=experiment.count, desc=experiment.name, unit="frame") as bar:
                version: Ngff = "0.4" if ngff == "0.4" else "0.5"
                show = partial(advance, bar)
                done = export_labels(experiment, out, kind, ngff=version, progress=show)
        except (ReadError, OutputError, ImportError) as error:
            errors.append(str(error))
            continue
        for note in done.notes:
            click.echo(f"  {experiment.name}: {note}", err=True)
        click.echo(str(done.file))
    finish(errors)


@click.command()
@click.argument("weights", type=PATH)
@click.argument("out", type=FOLDER)
@click.option(
    "--class-order",
    required=True,
    metavar="NAME,NAME,...",
    help="Class of each output channel, first to last. The file does not say; the authors list "
    "keyhole,pore,substrate,background,powder.",
)
@click.option("--overwrite", is_flag=True, help="Replace a preset that is in OUT.")
def convert(weights: Path, out: Path, class_order: str, overwrite: bool) -> None:
    """Make a preset folder OUT from the authors' published weights file.

    WEIGHTS is the legacy Keras HDF5 file of AM-SegNet or U-Net. Afterwards:

    \b
    amseg segment FRAMES --model OUT -o results
    """
    from amseg_keras.pretrained.authors import ConversionError, convert_weights

    names = tuple(name.strip() for name in class_order.split(","))
    if out.exists() and any(out.iterdir()) and not overwrite:
        raise click.UsageError(f"{out} is not empty: give another folder, or --overwrite")
    try:
        network = convert_weights(weights, out, names)
    except ConversionError as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    click.echo(f"{out}: {network} with classes {', '.join(names)}")
