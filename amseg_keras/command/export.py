"""`amseg export`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from amseg_keras.engines.graph import Output

from amseg_keras.command.choices import EXPORT_FORMATS


@click.command(no_args_is_help=True)
@click.argument("preset")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Output folder, empty or not there yet.",
)
@click.option(
    "-f", "--format", "kind", type=click.Choice(EXPORT_FORMATS), default="onnx", show_default=True
)
@click.option(
    "--labels/--probabilities",
    "labels",
    default=True,
    show_default=True,
    help="What the network gives: class ids, or the probability of every class.",
)
@click.option("--height", type=click.IntRange(min=16), help="Of the frames. Default: any.")
@click.option("--width", type=click.IntRange(min=16), help="Of the frames. Default: any.")
@click.option("--revision", help="Tag, branch or commit of an owner/repo.")
def export(
    preset: str,
    out: Path,
    kind: str,
    labels: bool,
    height: int | None,
    width: int | None,
    revision: str | None,
) -> None:
    """Write a trained network for other software.

    PRESET is a trained network (see: amseg presets), a preset folder, or owner/repo on the Hugging
    Face Hub. It is rewritten to one that computes the same with less, and run once on a sample
    frame after writing.

    \b
    In OUT:
      model.onnx           the network (model.xml and .bin, saved_model/, model.tflite)
      preprocessing.json   grey levels, class names, pixel size
      README.md            what goes in and what comes out, with an example that runs

    onnx and openvino need OpenVINO or ONNX Runtime, as of `pip install 'amseg-keras[runtime]'`, to
    run what was written; tf_saved_model and litert need TensorFlow.

    Exit codes: 0 done, 1 it could not be written, 2 wrong use.
    """
    from amseg_keras.pretrained import PresetError, find_preset

    for name, side in (("--height", height), ("--width", width)):
        if side is not None and side % 16:
            raise click.BadParameter(f"{side} is not a multiple of 16", param_hint=name)
    try:
        folder = find_preset(preset, revision)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="PRESET") from error

    from amseg_keras.engines.engine import EngineMissingError
    from amseg_keras.engines.formats import ExportError
    from amseg_keras.runs.export import export_network
    from amseg_keras.segment import from_pretrained

    try:
        segmenter = from_pretrained(folder)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="PRESET") from error
    output: Output = "labels" if labels else "probabilities"
    try:
        done = export_network(segmenter, out, kind, output, (height, width))
    except (ExportError, EngineMissingError, ValueError) as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    except OSError as error:
        click.echo(f"amseg: {out}: cannot be written ({error.strerror or error})", err=True)
        raise SystemExit(1) from error
    click.echo(f"{done.file}: {done.equal_labels:.3%} of the labels of a sample frame as before")
