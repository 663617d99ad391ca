"""`bounds.npz` of a run: label maps of a few frames, between which the truth lies."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.read import ReadError

FILE = "bounds.npz"

MOST_BYTES = 1 << 30
"""Largest size of the unpacked arrays that are read, in bytes."""

_ARRAYS = ("frames", "least", "most", "edges", "class_pixels", "factor_names", "factors")


def write_bounds(folder: Path, bounds: Mapping[int, FrameBounds]) -> str:
    """Write the bounds of a run.

    Args:
        folder: Folder of the run.
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
    with complete_or_absent(folder / FILE) as temporary, temporary.open("wb") as stream:
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
    return FILE


def read_bounds(folder: Path) -> dict[int, FrameBounds]:
    """Read the bounds of a run; empty if it has none.

    Args:
        folder: Folder of the run.

    Raises:
        ReadError: The file is damaged.
    """
    path = folder / FILE
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
