"""`amseg dataset import`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from amseg_keras.command.choices import COLOUR_TOLERANCE, MASK_KINDS
from amseg_keras.command.dataset.existing import one_sentence, say
from amseg_keras.command.input_options import input_options

_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("import", no_args_is_help=True)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option("--masks", required=True, metavar="PATH", help="File or folder of the masks.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data set; one that is there is added to.",
)
@click.option("--kind", type=click.Choice(MASK_KINDS), default="auto", show_default=True)
@click.option(
    "--colours",
    metavar="FILE|NAME=#RRGGBB,...",
    help="Colour of each class, for colour-coded masks; as text or as a JSON file.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=COLOUR_TOLERANCE,
    show_default=True,
    help="How far a pixel may be from the colour of its class; beyond, it is ignored.",
)
@click.option(
    "--classes",
    metavar="NAME,NAME,...",
    help="Names of the class ids 0, 1, ... in the masks, and so of a new data set.",
)
@click.option("--add-classes", is_flag=True, help="Append classes that the data set lacks.")
@click.option("--sequence", metavar="NAME", help="One sequence for all frames, of this name.")
@click.option("--pixel-size", "pixel_size_um", type=_POSITIVE, metavar="UM")
@click.option("--facility", help="esrf, aps, dls, ...")
@click.option("--process", help="lpbf, welding, ded, ...")
@click.option("--material", help="Name of the alloy.")
@click.option("--power", "power_W", type=_POSITIVE, metavar="W", help="Laser power in W.")
@click.option("--speed", "speed_mm_s", type=_POSITIVE, metavar="MM/S", help="Scan speed in mm/s.")
@input_options
def import_(
    images: tuple[str, ...],
    masks: str,
    out: Path,
    colours: str | None,
    classes: str | None,
    sequence: str | None,
    **rest: Any,
) -> None:
    """Add frames and masks made in another program to the data set in OUT.

    \b
    IMAGES are files, folders or quoted globs; movies and stacks become single frames. Masks are
      label-image   class ids: a TIFF stack (ImageJ, napari), a Zarr or OME-Zarr store, or a PNG
                    or TIFF a frame
      imagej-rois   a .zip or .roi of the ROI Manager; the class is in the name, as pore-2
      labelme       a JSON file a frame: polygons, rectangles, circles
      coco          a JSON file of all frames: polygons and run lengths
      colours       a picture a frame with a colour for each class; give --colours

    They are matched by name (frame_07_mask.png with frame_07.tif), else in order. Frames without
    a mask are left out. Pixels that no shape covers are background. Nothing in OUT is overwritten;
    a class that the data set in OUT lacks needs --add-classes and goes behind those that it has.

    \b
    amseg dataset import movie.tif --masks movie-labels.tif --classes background,keyhole -o data
    """
    from tqdm import tqdm

    from amseg_keras.datasets import LabelledFrame
    from amseg_keras.datasets.masks import ImportOptions, import_masks
    from amseg_keras.datasets.masks.pictures import read_palette

    options = {name: rest.pop(name) for name in ("kind", "tolerance", "add_classes", "reading")}
    about = replace(LabelledFrame("", None, sequence or "", 0), **rest)
    names = None if classes is None else tuple(name.strip() for name in classes.split(","))
    if names is not None and (len(set(names)) < len(names) or not all(names)):
        raise click.BadParameter("give different names, as a,b,c", param_hint="--classes")
    with one_sentence(), tqdm(unit="frame") as bar:
        palette = None if colours is None else read_palette(colours)
        wanted = ImportOptions(class_names=names, palette=palette, about=about, **options)
        done = import_masks(images, masks, out, wanted, bar.update)
    say(done.notes)
    click.echo(
        f"{out}: {done.frames} frames added, {len(done.data.frames)} in all; classes "
        f"{', '.join(done.data.class_names)}"
    )
