"""`amseg dataset`: describe, check, split, import and fetch labelled frames."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from amseg_keras.command.choices import (
    CLASS_WEIGHTS,
    COLOUR_TOLERANCE,
    FOLDER,
    MASK_KINDS,
    PATH,
    POSITIVE,
    PUBLIC_DATA,
    SPLIT_WAYS,
    SPLITS,
    WHOLE,
)
from amseg_keras.command.ending import advance, one_sentence, open_and_say, say
from amseg_keras.command.options import input_options

if TYPE_CHECKING:
    import pandas as pd
    from tqdm import tqdm

    from amseg_keras.datasets import Dataset
    from amseg_keras.datasets.public import PublicSource


@click.command(no_args_is_help=True)
@click.argument("folder", type=PATH)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    help="Folder for the tables and the plot: frames.csv, classes.csv, statistics.png.",
)
@click.option(
    "--weights",
    type=click.Choice(CLASS_WEIGHTS),
    default=CLASS_WEIGHTS[0],
    help="How rare classes are weighted in training.",
)
def info(folder: Path, out: Path | None, weights: str) -> None:
    """Say what the data set in FOLDER holds.

    Frames by material, facility, process and split, the share of each class, and weights for
    training, from the training split where there is one.
    """
    import pandas as pd
    from tqdm import tqdm

    from amseg_keras.datasets.statistics import (
        class_shares,
        class_weights,
        count_frames,
        count_pixels,
    )

    with one_sentence():
        data = open_and_say(folder)
        labelled = sum(frame.label is not None for frame in data.frames)
        with tqdm(total=labelled, unit="label") as bar:
            pixels = count_pixels(data, bar.update)
        shares = class_shares(pixels)
        training = {frame.label for frame in data.of_split("train").frames}
        used = pixels[pixels.index.isin(training)] if training else pixels
        of = "the training split" if training else "all labelled frames"
        shares["weight"] = pd.Series(class_weights(used, weights))
        _print_head(data, labelled)
        for by in ("material", "facility", "process", "split"):
            table = count_frames(data, by)
            # A field that no frame has is not counted, but the table of the paper stays.
            if by == "material" or any(getattr(frame, by) for frame in data.frames):
                click.echo(f"\n{table.to_string()}")
        click.echo(f"\n{shares.to_string(formatters={'share': '{:.4%}'.format})}")
        click.echo(f"weight: {weights}, of {of}")
        if out is not None:
            _save(count_frames(data), shares, out)


def _print_head(data: Dataset, labelled: int) -> None:
    from amseg_keras.datasets.statistics import SPLIT_BY

    click.echo(f"{data.folder}: {len(data.frames)} frames, {labelled} labelled")
    click.echo(f"sequences   {len(data.sequences())}")
    click.echo(f"classes     {', '.join(data.class_names)}")
    size = "not given" if data.pixel_size_um is None else f"{data.pixel_size_um:g} um"
    click.echo(f"pixel size  {size}")
    if SPLIT_BY in data.other:
        click.echo(f"split by    {data.other[SPLIT_BY]}")
    if data.origin:
        click.echo(f"origin      {data.origin}")


def _save(frames: pd.DataFrame, shares: pd.DataFrame, out: Path) -> None:
    from amseg_keras.atomic import complete_or_absent

    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.learning import draw_statistics

    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("frames.csv", frames), ("classes.csv", shares)):
        with complete_or_absent(out / name) as temporary:
            table.to_csv(temporary)
    draw_statistics(frames, shares, out / "statistics.png")


@click.command(no_args_is_help=True)
@click.argument("folder", type=PATH)
@click.option(
    "--by",
    type=click.Choice(SPLIT_WAYS),
    default="sequence",
    help="Whole sequences, single frames at random as in the paper, or blocks of time: the first "
    "part of each sequence for training, the last for the test.",
)
@click.option("--seed", type=WHOLE, default=0)
@click.option("--overwrite", is_flag=True, help="Replace the split that is there.")
def split(folder: Path, by: str, seed: int, overwrite: bool) -> None:
    """Split the frames in FOLDER 4:1:1 into training, validation and test.

    The split is written into dataset.json. By default no sequence is in two splits, so that the
    test is on shots that the network has not seen.
    """
    from amseg_keras.datasets.dataset import DATASET_FILE
    from amseg_keras.datasets.statistics import split_dataset

    with one_sentence():
        data = open_and_say(folder)
        if any(frame.split for frame in data.frames) and not overwrite:
            raise click.UsageError(
                f"{folder / DATASET_FILE} is split already: scores of another split cannot be "
                "compared with earlier ones; if that is meant, give --overwrite"
            )
        done = split_dataset(data, by, seed)
        done.save()
    for name in SPLITS:
        part = done.of_split(name)
        click.echo(f"{name:<12}{len(part.frames):>6} frames of {len(part.sequences())} sequences")


@click.command(no_args_is_help=True)
@click.argument("folder", type=PATH)
def validate(folder: Path) -> None:
    """Name everything that is wrong with the data set in FOLDER, one line each.

    Files that are missing, unreadable or not listed; labels of another size than their image or
    with unknown class ids; equal frames, or one sequence, in two splits.

    Exit codes: 0 nothing is wrong, 1 something is.
    """
    from tqdm import tqdm

    from amseg_keras.datasets.validate import validate as find_faults

    with one_sentence():
        data = open_and_say(folder)
        with tqdm(total=len(data.frames), unit="frame") as bar:
            faults = find_faults(data, bar.update)
    for fault in faults:
        click.echo(str(fault))
    count = len(faults)
    click.echo(f"{len(data.frames)} frames: {count or 'no'} fault{'s' * (count != 1)}", err=True)
    if faults:
        raise SystemExit(1)


@click.command("import", no_args_is_help=True)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option("--masks", required=True, metavar="PATH", help="File or folder of the masks.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=FOLDER,
    help="Folder of the data set; one that is there is added to.",
)
@click.option("--kind", type=click.Choice(MASK_KINDS), default="auto")
@click.option(
    "--colours",
    metavar="FILE|NAME=#RRGGBB,...",
    help="Colour of each class, for colour-coded masks; as text or as a JSON file.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=COLOUR_TOLERANCE,
    help="How far a pixel may be from the colour of its class; beyond, it is ignored.",
)
@click.option(
    "--classes",
    metavar="NAME,NAME,...",
    help="Names of the class ids 0, 1, ... in the masks, and so of a new data set.",
)
@click.option("--add-classes", is_flag=True, help="Append classes that the data set lacks.")
@click.option("--sequence", metavar="NAME", help="One sequence for all frames, of this name.")
@click.option("--pixel-size", "pixel_size_um", type=POSITIVE, metavar="UM")
@click.option("--facility", help="esrf, aps, dls, ...")
@click.option("--process", help="lpbf, welding, ded, ...")
@click.option("--material", help="Name of the alloy.")
@click.option("--power", "power_W", type=POSITIVE, metavar="W", help="Laser power in W.")
@click.option("--speed", "speed_mm_s", type=POSITIVE, metavar="MM/S", help="Scan speed in mm/s.")
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


@click.command()
@click.argument("name", required=False, type=click.Choice(PUBLIC_DATA), metavar="[NAME]")
@click.option("-o", "--out", type=PATH, help="Folder of the data set.")
@click.option(
    "--from",
    "given",
    type=PATH,
    metavar="FILE",
    help="What was downloaded before: the file, or the folder of the files.",
)
def fetch(name: str | None, out: Path | None, given: Path | None) -> None:
    """Download real frames from their owners and make a data set of them.

    Without NAME: lists what there is. Nothing of it comes with this package; licence and citation
    are shown before the download and kept in the data set. Downloads go to the user's cache
    folder, or to where the environment variable AMSEG_CACHE points; one that was interrupted goes
    on where it stopped.

    \b
    amseg dataset fetch hpdc-video -o hpdc
    amseg dataset fetch hpdc-video --from "Supplementary Video S2.mp4" -o hpdc

    Exit codes: 0 done, 1 it cannot be downloaded or read, 2 wrong use.
    """
    from amseg_keras.datasets.public import SOURCES
    from amseg_keras.read import ReadError

    if name is None:
        if out is not None or given is not None:
            raise click.UsageError(f"say which: {', '.join(PUBLIC_DATA)}")
        _list_sources()
        return
    if out is None:
        raise click.UsageError("say where to: -o DIR")
    source = SOURCES[name]
    with one_sentence():
        if _is_done(out, name):
            return
        if given is not None and not given.exists():
            raise ReadError(f"{given}: no such file or folder; give {source.from_what}")
        _show_terms(source)
        made = _make(source, given or _download_all(source), out)
    _summarise(made)


def _list_sources() -> None:
    from amseg_keras.datasets.public import SOURCES

    for source in SOURCES.values():
        click.echo(f"{source.name}\n  {source.title}")
        click.echo(f"  size: {source.size}\n  licence: {source.licence}\n  {source.page}\n")


def _show_terms(source: PublicSource) -> None:
    click.echo(f"{source.name}: {source.page}", err=True)
    click.echo(f"  licence: {source.licence}\n  cite: {source.citation}", err=True)


def _is_done(out: Path, name: str) -> bool:
    """Tell whether the folder holds this data set, and refuse a folder with anything else."""
    from amseg_keras.datasets.dataset import DATASET_FILE
    from amseg_keras.datasets.open import open_dataset

    if (out / DATASET_FILE).is_file():
        there = open_dataset(out)
        fetched = there.other.get("fetched")
        if isinstance(fetched, dict) and fetched.get("name") == name:
            click.echo(
                f"{out}: {name} is there already, {len(there.frames)} frames; "
                "remove the folder to make it anew"
            )
            return True
        raise click.UsageError(f"{out} holds another data set: give another folder")
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out} is a file: give a folder")
    if out.is_dir() and any(out.iterdir()):
        raise click.UsageError(f"{out} is not empty: give another folder")
    return False


def _download_all(source: PublicSource) -> Path:
    from tqdm import tqdm

    from amseg_keras.command.dataset import cache_folder
    from amseg_keras.datasets.public import DownloadError, download

    folder = cache_folder() / "public" / source.name
    for number, file in enumerate(source.files, 1):
        title = file.name if len(source.files) == 1 else f"{number}/{len(source.files)}"
        try:
            with tqdm(desc=title, unit="B", unit_scale=True, leave=len(source.files) == 1) as bar:
                download(file, folder, partial(_show, bar))
        except DownloadError as error:
            raise DownloadError(
                f"{error}; download it by hand from {source.page} and give --from FILE: "
                f"{source.from_what}"
            ) from error
    # A single file is given itself: the folder may hold what an older version left there.
    return folder / source.files[0].name if len(source.files) == 1 else folder


def _show(bar: tqdm, done: int, total: int | None) -> None:
    bar.total = total
    advance(bar, done)


def _make(source: PublicSource, given: Path, out: Path) -> Dataset:
    from tqdm import tqdm

    from amseg_keras.datasets.open import open_dataset
    from amseg_keras.datasets.public import make_dataset

    with _workplace(out) as folder, tqdm(desc=source.name, unit="frame") as bar:
        make_dataset(source.name, given, folder, lambda: bar.update(1))
    return open_dataset(out)


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Make a folder beside `out` that replaces `out`, which is missing or empty, at the end."""
    out = out.resolve()
    folder = out.with_name(f".{out.name}-fetching")
    shutil.rmtree(folder, ignore_errors=True)  # of a fetch that was killed
    folder.mkdir(parents=True)
    try:
        yield folder
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _summarise(made: Dataset) -> None:
    shapes = sorted({made.image(frame).shape for frame in made.frames})
    sizes = ", ".join(f"{height}x{width}" for height, width in shapes)
    labelled = sum(frame.label is not None for frame in made.frames)
    click.echo(
        f"{made.folder}: {len(made.frames)} frames of {sizes}, {labelled} with labels "
        f"({', '.join(made.class_names)})"
    )
    click.echo(f"  {made.origin}")
    for file, digest in list(made.other["fetched"]["sha256"].items())[:3]:
        click.echo(f"  made from {file}, SHA-256 {digest}")
    scores = made.other.get("authors_prediction_scores")
    if scores:
        click.echo(
            f"  the authors' prediction against these labels: pore IoU {scores['pore_iou']:.3f} "
            f"(precision {scores['pore_precision']:.3f}, recall {scores['pore_recall']:.3f}), "
            f"background IoU {scores['background_iou']:.3f}, mean IoU {scores['mean_iou']:.3f}"
        )


@click.group()
def dataset() -> None:
    """Look at, check, split, import or fetch labelled frames."""


dataset.add_command(info)
dataset.add_command(validate)
dataset.add_command(split)
dataset.add_command(import_)
dataset.add_command(fetch)


def cache_folder() -> Path:
    """Return the folder in the environment variable AMSEG_CACHE, else one in the user's cache."""
    given = os.environ.get("AMSEG_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("amseg-keras")
