"""Write the files of a segmented stack while its labels still come, and read `bounds.npz` back."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.quantify.scale import ASSUMED, SIZE_FROM
from amseg_keras.read import ReadError
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.report.overlay import write_overlays
from amseg_keras.runs.streams import WriteBehind

BEHIND, BEHIND_PIXELS = 16, 1 << 26
"""Most frames and most pixels that may wait for each file; at least one frame."""


@dataclass(frozen=True)
class Segmented:
    """Facts about a stack for its output files.

    Args:
        grey_range: grey levels that are shown black and white.
        pixel_size_um: size of a pixel in um, or None.
        pixel_size_assumed: whether nobody measured the pixel size.
        frame_names: file of each frame, for a sequence of single files.
    """

    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    grey_range: GreyRange
    pixel_size_um: float | None
    frame_names: tuple[str, ...] | None
    drawn: frozenset[int]
    pixel_size_assumed: bool = False


class SegmentOutputs:
    """Writer of label maps, overlays and table, each in its own thread.

    If the block ends before `finish`, no incomplete file is left.

    Args:
        label_format: one of `LABEL_WRITERS`.
    """

    def __init__(self, folder: Path, about: Segmented, label_format: str) -> None:
        self._folder = folder
        self._about = about
        behind = max(1, min(BEHIND, BEHIND_PIXELS // (about.shape[1] * about.shape[2])))
        self._labels = WriteBehind[np.ndarray, str](
            lambda labels: LABEL_WRITERS[label_format](
                folder, labels, about.shape, about.class_names
            ),
            behind,
        )
        self._overlays = WriteBehind[tuple[np.ndarray, np.ndarray], str | None](
            lambda pairs: write_overlays(folder, pairs, about.class_names, about.grey_range), behind
        )
        self._table = WriteBehind[np.ndarray, str](self._write_table, behind)
        self._threads = ExitStack()

    def __enter__(self) -> SegmentOutputs:
        for writer in (self._labels, self._overlays, self._table):
            self._threads.enter_context(writer)
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.close()

    def add(self, labels: np.ndarray, frame: np.ndarray | None) -> None:
        """Hand over the next frame, or raise an error of writing earlier ones.

        Args:
            labels: class ids, uint8 `(height, width)`; all 255 if the frame is unreadable.
            frame: grey levels of a frame that is to be drawn, else None.
        """
        self._labels.put(labels)
        self._table.put(labels)
        if frame is not None:
            self._overlays.put((frame, labels))

    def finish(self) -> list[str]:
        """Wait until all files are written, and return their names."""
        written = (self._labels.result(), self._overlays.result(), self._table.result())
        return [name for name in written if name is not None]

    def _write_table(self, labels: Iterator[np.ndarray]) -> str:
        """Write the table of `quantify.class_areas` without pandas, which takes long to import."""
        about = self._about
        names, size = about.class_names, about.pixel_size_um
        head = ["frame", *(["file"] if about.frame_names is not None else [])]
        head += [f"{name}_area_px" for name in names]
        head += [f"{name}_area_um2" for name in names] if size is not None else []
        head += [SIZE_FROM] if about.pixel_size_assumed else []
        with (
            complete_or_absent(self._folder / "frames.csv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.writer(file, lineterminator="\n")
            table.writerow(head)
            for index, frame in enumerate(labels):
                if frame.flat[0] == IGNORE and (frame == IGNORE).all():
                    continue
                # For a few classes this takes a quarter of the time of a histogram.
                areas = [np.count_nonzero(frame == number) for number in range(len(names))]
                row: list[Any] = [index]
                row += [about.frame_names[index]] if about.frame_names is not None else []
                row += [int(area) for area in areas]
                row += [f"{area * size**2:.6g}" for area in areas] if size is not None else []
                row += [ASSUMED] if about.pixel_size_assumed else []
                table.writerow(row)
        return "frames.csv"


BOUNDS = "bounds.npz"
"""File of the label maps between which the truth lies, for a few frames."""

MOST_BYTES = 1 << 30
"""Largest size of the unpacked arrays that are read, in bytes."""

_ARRAYS = ("frames", "least", "most", "edges", "class_pixels", "factor_names", "factors")


def write_bounds(folder: Path, bounds: Mapping[int, FrameBounds]) -> str:
    """Write the bounds of a run.

    Args:
        bounds: Bounds of some frames, by their numbers; at least one.

    Returns:
        Name of the file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> maps = np.zeros((2, 4, 6), np.uint8)
        >>> write_bounds(folder, {3: FrameBounds(maps[0], maps[1], (0.0, 1.5), (20, 4))})
        'bounds.npz'
        >>> read_bounds(folder)[3].edge
        (0.0, 1.5)
    """
    many = list(bounds.values())
    unknown = (np.nan, np.nan)
    with complete_or_absent(folder / BOUNDS) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            frames=np.array(list(bounds), np.int64),
            least=np.stack([one.least for one in many]),
            most=np.stack([one.most for one in many]),
            edges=np.array([one.edge or unknown for one in many], np.float64),
            class_pixels=np.array([one.class_pixels for one in many], np.int64),
            factor_names=np.array(list(many[0].factors), "U"),
            factors=np.array(list(many[0].factors.values()), np.float64),
        )
    return BOUNDS


def read_bounds(folder: Path) -> dict[int, FrameBounds]:
    """Read the bounds of a run; empty if it has none.

    Raises:
        ReadError: The file is damaged.
    """
    path = folder / BOUNDS
    if not path.is_file():
        return {}
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(one.file_size for one in packed.infolist()) > MOST_BYTES:
                raise ValueError(f"larger than {MOST_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as stored:
            frames, least, most, edges, pixels, names, factors = (stored[one] for one in _ARRAYS)
        count = len(frames)
        if not (
            least.dtype == most.dtype == np.uint8
            and least.ndim == 3
            and least.shape == most.shape
            and len(least) == len(pixels) == count
            and edges.shape == (count, 2)
        ):
            raise ValueError("its arrays do not fit together")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ReadError(
            f"{path}: cannot be read ({error}); delete it to measure without intervals"
        ) from error
    known = dict(zip(map(str, names), map(float, factors), strict=True))
    found = {}
    for place, frame in enumerate(frames.tolist()):
        slope, offset = edges[place].tolist()
        found[frame] = FrameBounds(
            least[place],
            most[place],
            None if math.isnan(slope + offset) else (slope, offset),
            tuple(pixels[place].tolist()),
            known,
        )
    return found
