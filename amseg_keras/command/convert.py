"""`amseg convert`"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
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
