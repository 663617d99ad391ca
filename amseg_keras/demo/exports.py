"""Files of a recording to take along; made by a worker from its folder of results."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.demo.worker import Tell, without_folders

RESULTS = "results"

_TEXTS = (".html", ".json")
"""Endings of files that may say where on this server they lie."""


@dataclass(frozen=True)
class Packing:
    """What there is of a recording to be packed.

    Attributes:
        about: As of `jobs.segment`.
        folder: What the commands wrote.
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
        return np.load(Path(self.about["home"]) / "shown.npy", mmap_mode="r")

    @property
    def scale(self) -> tuple[float | None, float | None]:
        """Pixel size in um and frame rate in Hz with which the labels were measured."""
        record = json.loads((self.folder / "quantities" / "quantities.json").read_text("utf-8"))
        return record["scale"]["pixel_size_um"], record["scale"]["frame_rate_hz"]


@dataclass(frozen=True)
class Export:
    """One kind of file.

    Attributes:
        title: What it is, for the page.
        make: Makes it.
    """

    title: str
    make: Callable[[Packing], Path]


def make(about: dict[str, Any], wanted: str, corrections: Path | None, tell: Tell) -> Path:
    """Make a file.

    Args:
        about: As of `jobs.segment`.
        wanted: One of `EXPORTS`.
        corrections: Data set of corrected frames; None if there is none.
        tell: Told that it began.
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


def _ome_tiff(packing: Packing) -> Path:
    import tifffile

    size, rate = packing.scale
    path = packing.out / f"{packing.name}-labels.ome.tif"
    about: dict[str, Any] = {"axes": "TYX", "Name": f"{packing.name}, class ids"}
    if size is not None:
        about |= {f"PhysicalSize{axis}": size for axis in "XY"}
        about |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    if rate is not None:
        about |= {"TimeIncrement": 1 / rate, "TimeIncrementUnit": "s"}
    tifffile.imwrite(path, np.array(packing.shown), ome=True, metadata=about, compression="zlib")
    return path


def _tables(packing: Packing) -> Path:
    path = packing.out / f"{packing.name}-tables.zip"
    folder = packing.folder / "quantities"
    _zip(path, {f"{packing.name}-tables/{file.name}": file for file in sorted(folder.iterdir())})
    return path


def _report(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    page = report_run(packing.folder).page
    _hide_folders(packing)
    return Path(shutil.copy(page, packing.out / f"{packing.name}-report.html"))


def _movie(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    movie = report_run(packing.folder, movie=True).movie
    _hide_folders(packing)
    assert movie is not None
    return Path(shutil.copy(movie, packing.out / f"{packing.name}.mp4"))


def _everything(packing: Packing) -> Path:
    from amseg_keras.runs.report import report_run

    report_run(packing.folder, movie=True)
    _hide_folders(packing)
    files = {
        str(Path(packing.name) / file.relative_to(packing.folder)): file
        for file in sorted(packing.folder.rglob("*"))
        # The overlay of the network's own labels; the movie shows those that were corrected.
        if file.is_file() and not file.name.startswith((".", "overlay."))
    }
    for one in (_labels(packing), _ome_tiff(packing)):
        files[f"{packing.name}/{one.name}"] = one
    if packing.corrections is not None:
        for file in sorted(packing.corrections.rglob("*")):
            if file.is_file():
                files[f"corrected/{file.relative_to(packing.corrections)}"] = file
    path = packing.out / f"{packing.name}.zip"
    _zip(path, files)
    return path


EXPORTS = {
    "labels": Export("Label maps, TIFF with scale", _labels),
    "ome-tiff": Export("Label maps, OME-TIFF", _ome_tiff),
    "tables": Export("Tables, CSV and Parquet", _tables),
    "movie": Export("Movie with labels and plots", _movie),
    "report": Export("Report", _report),
    "everything": Export("Everything, as a ZIP", _everything),
}
"""By the name in the address."""


def _zip(path: Path, files: dict[str, Path]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, file in files.items():
            packed.write(file, name)


def _hide_folders(packing: Packing) -> None:
    """Take the folders of the server out of reports and records."""
    for path in packing.folder.rglob("*"):
        if path.suffix in _TEXTS:
            results = str(Path(packing.about["home"]) / RESULTS)
            folders = [packing.about, results]
            path.write_text(without_folders(path.read_text("utf-8"), folders), "utf-8")
