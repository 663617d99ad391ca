"""`amseg dataset fetch`"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import PUBLIC_DATA
from amseg_keras.command.dataset.existing import one_sentence
from amseg_keras.command.ending import advance

if TYPE_CHECKING:
    from tqdm import tqdm

    from amseg_keras.datasets import Dataset
    from amseg_keras.datasets.public import PublicSource


@click.command()
@click.argument("name", required=False, type=click.Choice(PUBLIC_DATA), metavar="[NAME]")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option(
    "--from",
    "given",
    type=click.Path(path_type=Path),
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

    from amseg_keras.cache import cache_folder
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

    with (
        _workplace(out) as folder,
        tqdm(desc=source.name, unit="frame") as bar,
    ):
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
