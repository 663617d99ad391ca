"""One keyhole a laser: find the pieces of keyhole that no laser can have made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

GAP_PX = 10
"""Pieces of keyhole that are at most this far apart belong to one keyhole."""

MEMORY = 3
"""Frames for which a keyhole may be lost and still be the same keyhole."""

REACH_PX = 15.0
"""Distance from its predicted column within which a piece continues a path."""

NEAR_PX = 60.0
"""Distance from the laser's line within which a piece without a path of its own is believed."""

STEADY_PX = 12.0
"""Smallest way that a moving keyhole has gone."""


@dataclass
class Path:
    """Pieces of keyhole that follow each other from frame to frame.

    Attributes:
        frames: Number of each frame in which the path has a piece.
        columns: Mean column of each piece, in pixels.
        areas: Area of each piece, in pixels.
        numbers: Number of each piece in its frame.
    """

    frames: list[int] = field(default_factory=list)
    columns: list[float] = field(default_factory=list)
    areas: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def area(self) -> int:
        """Sum of the areas of all pieces, in pixels."""
        return sum(self.areas)

    def line(self) -> tuple[float, float]:
        """Fit a straight line: column in frame 0, and columns a frame (0 for a single piece)."""
        if len(self.frames) == 1:
            return self.columns[0], 0.0
        slope, offset = np.polyfit(self.frames, self.columns, 1)
        return float(offset), float(slope)

    def expected(self, frame: int) -> float:
        """Predict the column in a frame from the last pieces."""
        last = slice(-8, None)
        recent = Path(self.frames[last], self.columns[last])
        if len(recent.frames) < 3:
            return self.columns[-1]
        offset, slope = recent.line()
        return offset + slope * frame

    def moves(self) -> bool:
        """Tell whether the path goes steadily in one direction."""
        if len(self.frames) < 4:
            return False
        offset, slope = self.line()
        way = abs(slope) * (self.frames[-1] - self.frames[0])
        away = np.array(self.columns) - offset - slope * np.array(self.frames)
        return way >= max(STEADY_PX, 3 * float(np.std(away)))


@dataclass(frozen=True)
class Phantoms:
    """Pieces of keyhole that the rule of one keyhole a laser takes away.

    Attributes:
        pieces: Numbers of the pieces to take away, for each frame that has some.
        frames: Number of frames in the stack.

    Example:
        >>> Phantoms({4: (1, 2)}, frames=10).record()["pieces_removed"]
        2
    """

    pieces: dict[int, tuple[int, ...]]
    frames: int

    def record(self) -> dict[str, Any]:
        """Describe the rule and what it took away in plain values, for the record of a run."""
        return {
            "rule": "one keyhole a laser",
            "frames_changed": len(self.pieces),
            "pieces_removed": sum(map(len, self.pieces.values())),
        }

    def removed_from(
        self, index: int, labels: np.ndarray, class_names: Sequence[str]
    ) -> np.ndarray:
        """Give the label map of a frame without its phantoms.

        The pixels of a phantom get the class that is commonest around it.

        Args:
            index: Number of the frame.
            labels: Class ids of that frame, uint8 `(height, width)`.
            class_names: Name of each class id.

        Returns:
            A new label map; the given one if nothing is taken away.
        """
        wrong = self.pieces.get(index, ())
        if not wrong:
            return labels
        keyhole = list(class_names).index("keyhole")
        numbered, _ = _numbered(labels == keyhole)
        cleaned = labels.copy()
        for number in wrong:
            piece = numbered == number
            around = ndimage.binary_dilation(piece, np.ones((5, 5), bool))
            beside = labels[around & (labels != keyhole)]
            cleaned[piece] = np.bincount(beside).argmax() if beside.size else 0
        return cleaned


def find_phantoms(labels: Iterable[np.ndarray], class_names: Sequence[str]) -> Phantoms:
    """Find the pieces of keyhole that no laser can have made.

    A laser makes one keyhole at a time, near where it was in the frame before. Pieces of keyhole
    are linked to paths from frame to frame. A path that moves steadily is believed before one that
    does not, and a larger one before a smaller one. A path is taken away if a believed path has a
    piece in most of its frames. If any path moves, the laser moves: then a path that stands still
    is taken away, and so is a piece without a path that is more than 60 px away from the line of
    each believed path.

    Nothing is taken away from a recording with a single path, and nothing is added.

    Args:
        labels: Label maps of consecutive frames, uint8 `(height, width)` each.
        class_names: Name of each class id; without a "keyhole" there are no phantoms.

    Returns:
        What to take away.

    Example:
        A keyhole that moves to the right, and a phantom that stands still:

        >>> frames = np.zeros((8, 40, 120), np.uint8)
        >>> for frame in range(8):
        ...     frames[frame, 10:20, 20 + 6 * frame : 26 + 6 * frame] = 1
        ...     frames[frame, 20:30, 100:110] = 1
        >>> phantoms = find_phantoms(frames, ["background", "keyhole"])
        >>> phantoms.record()["pieces_removed"]
        8
        >>> int(phantoms.removed_from(3, frames[3], ["background", "keyhole"]).sum())
        60
    """
    if "keyhole" not in class_names:
        return Phantoms({}, 0)
    keyhole = list(class_names).index("keyhole")
    paths: list[Path] = []
    count = 0
    for index, frame in enumerate(labels):
        _continue_paths(paths, index, frame == keyhole)
        count += 1
    wrong: dict[int, tuple[int, ...]] = {}
    for path in _phantom_paths(paths):
        for index, number in zip(path.frames, path.numbers, strict=True):
            wrong[index] = (*wrong.get(index, ()), number)
    return Phantoms(dict(sorted(wrong.items())), count)


def _numbered(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the pieces of a mask; pieces that are near each other have one number."""
    numbers = np.zeros(mask.shape, np.int32)
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return numbers, 0
    columns = np.flatnonzero(mask.any(axis=0))
    # Most of a frame holds no keyhole: only the part that does is numbered.
    part = tuple(
        slice(max(int(side[0]) - GAP_PX, 0), int(side[-1]) + GAP_PX + 1) for side in (rows, columns)
    )
    joined = ndimage.maximum_filter(mask[part], GAP_PX + 1, mode="constant")
    found, count = ndimage.label(joined, np.ones((3, 3)))
    numbers[part] = np.where(mask[part], found, 0)
    return numbers, int(count)


def _continue_paths(paths: list[Path], index: int, mask: np.ndarray) -> None:
    """Add the pieces of a frame to the paths that they continue, the nearest first."""
    numbers, count = _numbered(mask)
    places = np.flatnonzero(numbers)
    of_place = numbers.ravel()[places]
    areas = np.bincount(of_place, minlength=count + 1)[1:]
    sums = np.bincount(of_place, places % mask.shape[1], minlength=count + 1)[1:]
    pieces = [
        (number, float(total / area), int(area))
        for number, (total, area) in enumerate(zip(sums, areas, strict=True), start=1)
    ]
    open_paths = [path for path in paths if index - path.frames[-1] <= MEMORY]
    pairs = sorted(
        (abs(path.expected(index) - column), at, piece)
        for at, path in enumerate(open_paths)
        for piece, (_, column, _) in enumerate(pieces)
    )
    used_paths: set[int] = set()
    used_pieces: set[int] = set()
    for away, at, piece in pairs:
        if away > REACH_PX or at in used_paths or piece in used_pieces:
            continue
        used_paths.add(at)
        used_pieces.add(piece)
        _add(open_paths[at], index, *pieces[piece])
    for piece, found in enumerate(pieces):
        if piece not in used_pieces:
            paths.append(Path())
            _add(paths[-1], index, *found)


def _add(path: Path, index: int, number: int, column: float, area: int) -> None:
    path.frames.append(index)
    path.columns.append(column)
    path.areas.append(area)
    path.numbers.append(number)


def _phantom_paths(paths: Sequence[Path]) -> list[Path]:
    moving = [path for path in paths if path.moves()]
    resting = [path for path in paths if not path.moves()]
    believed: list[Path] = []
    phantoms: list[Path] = []
    for path in (
        *sorted(moving, key=lambda path: -path.area),
        *sorted(resting, key=lambda path: -path.area),
    ):
        beside = any(_overlap(path, other) > 0.5 for other in believed)
        elsewhere = bool(moving) and not path.moves() and not _near(path, believed)
        (phantoms if beside or elsewhere else believed).append(path)
    return phantoms


def _overlap(path: Path, other: Path) -> float:
    """Return the fraction of the frames of a path in which another path has a piece too."""
    return len(set(path.frames) & set(other.frames)) / len(path.frames)


def _near(path: Path, believed: Sequence[Path]) -> bool:
    """Tell whether a path lies where a believed path has been or will be."""
    for other in believed:
        if not other.moves():
            continue
        offset, slope = other.line()
        away = np.abs(np.array(path.columns) - offset - slope * np.array(path.frames))
        if away.max() <= NEAR_PX:
            return True
    return False
