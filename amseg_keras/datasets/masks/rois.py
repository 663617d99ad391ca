"""Read ImageJ ROIs as masks, and trace or fill outlines that run along pixels."""

from __future__ import annotations

import logging
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import check_class_names
from amseg_keras.datasets.masks.base import (
    ClassIds,
    PageName,
    check_size,
    inside_polygon,
    inside_rectangle,
)
from amseg_keras.datasets.masks.labelme import IGNORE_LABEL
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""East, south, west, north, as x and y; y grows downwards."""


def trace_pixels(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of the pixels of a mask, holes included.

    Pixels that touch at a corner alone get outlines of their own, or one that passes the corner
    twice; either way `fill_outlines` gives the mask again.

    Args:
        mask: Pixels, bool `(height, width)`.

    Returns:
        Corners of each outline, int `(n, 2)` as x, y, without the first one repeated. The corner
        of the first pixel is (0, 0).

    Example:
        >>> trace_pixels(np.array([[False, True, True]]))[0].tolist()
        [[1, 0], [3, 0], [3, 1], [1, 1]]
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    inside = padded[1:-1, 1:-1]
    # Each edge has the mask on its right hand.
    starts = (
        (inside & ~padded[:-2, 1:-1], 0, 0),
        (inside & ~padded[1:-1, 2:], 1, 0),
        (inside & ~padded[2:, 1:-1], 1, 1),
        (inside & ~padded[1:-1, :-2], 0, 1),
    )
    edges: dict[tuple[int, int, int], None] = {}
    for direction, (where, right, below) in enumerate(starts):
        rows, columns = np.nonzero(where)
        for y, x in zip((rows + below).tolist(), (columns + right).tolist(), strict=True):
            edges[x, y, direction] = None
    outlines = []
    while edges:
        outlines.append(np.array(_walk(edges, next(iter(edges))), int))
    return outlines


def _walk(
    edges: dict[tuple[int, int, int], None], first: tuple[int, int, int]
) -> list[tuple[int, int]]:
    """Take the edges of one outline away, from `first` on; the corners where it turns."""
    corners: list[tuple[int, int]] = []
    x, y, direction = first
    while (x, y, direction) in edges:
        del edges[x, y, direction]
        x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
        # To the right is along the same pixel.
        for turn in (1, 0, 3):
            following = (direction + turn) % 4
            if (x, y, following) in edges or (x, y, following) == first:
                break
        if following != direction:
            corners.append((x, y))
        direction = following
    return [corners[-1], *corners[:-1]]


def runs_along_pixels(outlines: Sequence[np.ndarray]) -> bool:
    """Say whether every outline runs along the edges of pixels.

    Args:
        outlines: Corners `(n, 2)` of each, as x, y.

    Example:
        >>> runs_along_pixels([np.array([[0, 0], [2, 0], [2, 1], [0, 1]])])
        True
        >>> runs_along_pixels([np.array([[0, 0], [2, 0], [1, 2]])])
        False
    """
    for outline in outlines:
        steps = np.roll(outline, -1, axis=0) - outline
        if (outline != np.rint(outline)).any() or (steps != 0).all(axis=1).any():
            return False
    return True


def fill_outlines(outlines: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Fill outlines along the edges of pixels; an outline inside another one is a hole.

    Args:
        outlines: Corners `(n, 2)` of each, as x, y, whole numbers.
        size: Rows and columns of the picture; what lies outside is cut off.

    Returns:
        bool `(height, width)`.

    Example:
        >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
        >>> bool((fill_outlines(trace_pixels(ring), (3, 3)) == ring).all())
        True
    """
    height, width = size
    crossed = np.zeros((height, width + 1), bool)
    for x, top, bottom in _upright_edges(outlines):
        crossed[max(top, 0) : max(bottom, 0), min(max(x, 0), width)] ^= True
    inside: np.ndarray = np.logical_xor.accumulate(crossed, axis=1)[:, :width]
    return inside


def _upright_edges(outlines: Sequence[np.ndarray]) -> Iterator[tuple[int, int, int]]:
    """Yield column, upper and lower row of each edge that runs up or down."""
    for outline in outlines:
        corners = outline.astype(int).tolist()
        for (x, y), (other_x, other_y) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            if x == other_x and y != other_y:
                yield x, min(y, other_y), max(y, other_y)


ROI_TYPES = (".zip", ".roi")
_KIND = "ImageJ ROIs"
_MOST_BYTES = 1 << 30
_MOST_ROIS = 1_000_000


class RoiMasks:
    """Regions of ImageJ; a later one lies over an earlier one, pixels without one are background.

    The class of a region is the line `class: NAME` of its properties, or its name without the
    numbers around it: `pore`, `pore-2` and `0007-pore-2` are pores. The frame is the region's
    position in the stack. Regions of `amseg export` also say how many frames there are, so that
    frames without a region are background; of others, such frames have no mask. Points, lines and
    angles have no area and are left out; `notes` says how many.

    Raises:
        ReadError: It is neither, or the class of a region is not known.
    """

    has_background = True

    def __init__(self, file: Path) -> None:
        self._file = file
        self._left_out: Counter[str] = Counter()
        self._by_page: dict[int, list[tuple[str, Any]]] = {}
        frames = 0
        self._size: tuple[int, int] | None = None
        names: set[str] = set()
        for roi in read_rois(file):
            said = _properties(roi)
            frames = max(frames, _whole(said.get("frames")))
            if self._size is None and (height := _whole(said.get("height"))):
                self._size = height, _whole(said.get("width"))
            if not _has_area(roi):
                self._left_out[roi.roitype.name.lower()] += 1
                continue
            name = said.get("class") or class_in_name(roi.name)
            if not name:
                raise ReadError(
                    f"{file}: the region {roi.name!r} does not say its class; rename it after its "
                    "class in the ROI Manager, as pore or pore-2"
                )
            names.add(name)
            page = (roi.t_position or roi.position or roi.z_position or 1) - 1
            self._by_page.setdefault(page, []).append((name, roi))
        self.class_names = check_class_names(tuple(sorted(names - {IGNORE_LABEL})), str(file))
        if frames and max(self._by_page, default=0) >= frames:
            raise ReadError(
                f"{file}: has regions on frame {max(self._by_page) + 1} of {frames} frames; export "
                "it again"
            )
        numbers = range(frames) if frames else sorted(self._by_page)
        self.pages = tuple(PageName(file.stem, number, frames) for number in numbers)

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        if self._size is not None:
            check_size(str(self._file), self._size, size)
        labels = np.full(size, ids.unlabelled, np.uint8)
        for name, roi in self._by_page.get(self.pages[index].page, ()):
            with reading(f"{self._file}: region {roi.name}", _KIND):
                inside = inside_roi(roi, size)
            labels[inside] = IGNORE if name == IGNORE_LABEL else ids.by_name[name]
        return labels

    def notes(self) -> list[str]:
        return [
            f"{count} ImageJ regions of type {kind} have no area and were left out"
            for kind, count in sorted(self._left_out.items())
        ]


def read_rois(file: Path) -> list[Any]:
    """Read the regions of a .zip or .roi file, as `roifile.ImagejRoi`, in their order.

    Raises:
        ReadError: It holds none, or cannot be read.
    """
    import roifile

    logging.getLogger("roifile").setLevel(logging.ERROR)
    with reading(str(file), _KIND):
        if file.suffix.lower() == ".roi":
            stored = [file.read_bytes()]
        else:
            with zipfile.ZipFile(file) as archive:
                members = [one for one in archive.infolist() if one.filename.endswith(".roi")]
                if len(members) > _MOST_ROIS or sum(m.file_size for m in members) > _MOST_BYTES:
                    raise ReadError(f"{file}: holds more than 1 GiB of regions; split it")
                stored = [archive.read(one) for one in members]
        if not stored:
            raise ReadError(f"{file}: holds no ImageJ regions (.roi); save them in the ROI Manager")
        return [roifile.ImagejRoi.frombytes(one) for one in stored]


def class_in_name(name: str) -> str:
    """Find the class in the name of a region: the name without numbers in front and behind.

    Example:
        >>> [class_in_name(name) for name in ("0007-pore-2", "melt pool", "0007-0120-0333")]
        ['pore', 'melt pool', '']
    """
    return re.sub(r"^(\d+[-_ ]+)*|([-_ ]*\d+)+$", "", name).strip("-_ ")


def inside_roi(roi: Any, size: tuple[int, int]) -> np.ndarray:
    """Give the pixels whose centre lies in a region.

    Args:
        roi: A `roifile.ImagejRoi` with an area.
        size: Rows and columns of the picture; what lies outside is cut off.

    Returns:
        bool `(height, width)`.
    """
    kind = roi.roitype.name
    if roi.composite or kind in ("POLYGON", "FREEHAND", "TRACED"):
        outlines = [_open(np.asarray(one)) for one in roi.coordinates(multi=True)]
        outlines = [one for one in outlines if len(one) > 2]
        return fill_any(outlines, size)
    left, top, width, height = roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top
    if roi.subpixelrect:
        left, top, width, height = roi.xd, roi.yd, roi.widthd, roi.heightd
    if kind == "RECT":
        corners = np.array([[left, top], [left + width, top + height]])
        return np.asarray(inside_rectangle(corners, size))
    rows, columns = np.arange(size[0])[:, None] + 0.5, np.arange(size[1])[None] + 0.5
    across = (columns - left - width / 2) / max(width / 2, 1e-9)
    down = (rows - top - height / 2) / max(height / 2, 1e-9)
    inside: np.ndarray = across**2 + down**2 <= 1
    return inside


def fill_any(outlines: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Fill outlines of any shape; an outline inside another one is a hole.

    Args:
        outlines: Corners `(n, 2)` of each, as x, y.

    Example:
        >>> fill_any([np.array([[0, 0], [4, 0], [0, 2]])], (2, 4)).astype(int)
        array([[1, 1, 1, 0],
               [1, 0, 0, 0]])
    """
    if runs_along_pixels(outlines):
        return fill_outlines(outlines, size)
    inside = np.zeros(size, bool)
    for outline in outlines:
        inside ^= inside_polygon(outline, size)
    return inside


def _open(outline: np.ndarray) -> np.ndarray:
    """Remove the first corner from the end of an outline."""
    closed = len(outline) > 1 and (outline[0] == outline[-1]).all()
    return outline[:-1] if closed else outline


def _has_area(roi: Any) -> bool:
    return roi.composite or roi.roitype.name in ("POLYGON", "FREEHAND", "TRACED", "RECT", "OVAL")


def _properties(roi: Any) -> dict[str, str]:
    pairs = (line.partition(":") for line in roi.props.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 9 else 0
