"""Make files of a recording for download, from its folder of results."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.demo.workers import Tell, without_folders

RESULTS = "results"

_TEXTS = (".html", ".json")
"""Endings of files that may contain folders of this server."""


@dataclass(frozen=True)
class Packing:
    """Parts of a recording that can be packed.

    Attributes:
        about: As in `jobs.segment`.
        folder: Folder with the results of the commands.
        out: Folder of the files that are made.
        corrections: Data set of corrected frames; None if there is none.
    """

    about: dict[str, Any]
    folder: Path
    out: Path
    corrections: Path | None

    @property
    def name(self) -> str:
        """Name of the recording."""
        return str(self.about["name"])

    @property
    def shown(self) -> np.ndarray:
        """Label maps as they are shown and measured."""
        shown: np.ndarray = np.load(Path(self.about["home"]) / "shown.npy", mmap_mode="r")
        return shown

    @property
    def scale(self) -> tuple[float | None, float | None]:
        """Pixel size in um and frame rate in Hz with which the labels were measured."""
        record = json.loads((self.folder / "quantities" / "quantities.json").read_text("utf-8"))
        return record["scale"]["pixel_size_um"], record["scale"]["frame_rate_hz"]


@dataclass(frozen=True)
class Export:
    """One kind of file."""

    title: str
    make: Callable[[Packing], Path]


def make(about: dict[str, Any], wanted: str, corrections: Path | None, tell: Tell) -> Path:
    """Make a file.

    Args:
        about: As in `jobs.segment`.
        wanted: One of `EXPORTS`.
        corrections: Data set of corrected frames; None if there is none.
    """
    home = Path(about["home"])
    tell("packing", 0.1)
    out = home / "packed" / wanted
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return EXPORTS[wanted].make(Packing(about, home / RESULTS / about["name"], out, corrections))


def _labels(packing: Packing) -> Path:
    import tifffile

    size, rate = packing.scale
    record = json.loads((packing.folder / "run.json").read_text("utf-8"))
    path = packing.out / f"{packing.name}-labels.tif"
    about: dict[str, Any] = {
        "axes": "TYX",
        "Info": json.dumps({"class_names": record["class_names"], "ignore": 255}),
    }
    known: dict[str, Any] = {}
    if size is not None:
        about["unit"] = "um"
        known["resolution"] = (1 / size, 1 / size)
    if rate is not None:
        about["finterval"] = 1 / rate
    tifffile.imwrite(path, np.array(packing.shown), imagej=True, metadata=about, **known)
    return path


def _exported(packing: Packing, kind: str) -> Path:
    """Export label maps for other programs as `amseg export` does, with the present scale."""
    from amseg_keras.runs.labelled_experiment import export_labels, find_experiments

    (experiment,), _ = find_experiments([str(packing.folder)])
    size, rate = packing.scale
    scaled = replace(experiment, pixel_size_um=size, frame_rate_hz=rate)
    return export_labels(scaled, packing.out, kind).file


def _ome_zarr(packing: Packing) -> Path:
    store = _exported(packing, "ome-zarr")
    path = packing.out / f"{store.name}.zip"
    _zip(path, _files_below(store, store.name))
    return path


def _tables(packing: Packing) -> Path:
    path = packing.out / f"{packing.name}-tables.zip"
    _zip(path, _files_below(packing.folder / "quantities", f"{packing.name}-tables"), packing)
    return path


def _report(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    page = report_run(packing.folder).page
    path = packing.out / f"{packing.name}-report.html"
    path.write_text(_hidden(page.read_text("utf-8"), packing), "utf-8")
    return path


def _movie(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    movie = report_run(packing.folder, movie=True).movie
    assert movie is not None
    return Path(shutil.copy(movie, packing.out / f"{packing.name}.mp4"))


def _everything(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    report_run(packing.folder, movie=True)
    files = {
        name: file
        for name, file in _files_below(packing.folder, packing.name).items()
        # The overlay shows the labels of the network, the movie shows the corrected labels.
        if not file.name.startswith((".", "overlay."))
    }
    for kind in EXPORTS:
        if kind in (*_OF_LIBRARY, "labels"):
            file = EXPORTS[kind].make(packing)
            files[f"{packing.name}/{file.name}"] = file
    if packing.corrections is not None:
        files |= _files_below(packing.corrections, "corrected")
    path = packing.out / f"{packing.name}.zip"
    _zip(path, files, packing)
    return path


_OF_LIBRARY = {
    "ome-tiff": ("tifffile", Export("Label maps, OME-TIFF", partial(_exported, kind="ome-tiff"))),
    "ome-zarr": ("zarr", Export("Label maps, OME-Zarr", _ome_zarr)),
    "imagej-rois": ("roifile", Export("ImageJ ROIs", partial(_exported, kind="imagej-rois"))),
}
"""Formats of `amseg export`, and the package that each needs."""

EXPORTS = {
    "labels": Export("Label maps, TIFF with scale", _labels),
    **{name: made for name, (needs, made) in _OF_LIBRARY.items() if find_spec(needs)},
    "tables": Export("Tables, CSV and Parquet", _tables),
    "movie": Export("Movie with labels and plots", _movie),
    "report": Export("Report", _report),
    "everything": Export("Everything, as a ZIP", _everything),
}
"""Downloads by the name in the address."""


def _files_below(folder: Path, name: str) -> dict[str, Path]:
    """Return the files of a folder by their names in an archive."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {f"{name}/{file.relative_to(folder).as_posix()}": file for file in files}


def _zip(path: Path, files: dict[str, Path], packing: Packing | None = None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, file in files.items():
            if packing is not None and file.suffix in _TEXTS:
                packed.writestr(name, _hidden(file.read_text("utf-8"), packing))
            else:
                packed.write(file, name)


def _hidden(text: str, packing: Packing) -> str:
    """Remove the folders of the server from a report or a record."""
    results = str(Path(packing.about["home"]) / RESULTS)
    return without_folders(text, [packing.about, results])
