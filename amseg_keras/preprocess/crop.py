"""Cropping: a fixed box, or a window that follows the laser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.laser import LaserPath, find_laser
from amseg_keras.preprocess.lazy import LazyFrames
from amseg_keras.read import Frames


@dataclass(frozen=True)
class Box:
    """A part of a frame, in whole pixels.

    Args:
        x: column of its left edge, from 0.
        y: row of its upper edge, from 0.
        width: columns.
        height: rows.

    Raises:
        ValueError: it is empty, or begins left of or above the frame.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise ValueError(
                f"the box {self} is not possible: x and y are 0 or more, width and height 1 or more"
            )

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """This part of a frame, a view.

        Raises:
            ValueError: the box reaches out of the frame.

        Example:
            >>> Box(x=1, y=0, width=2, height=1).cut(np.arange(6).reshape(2, 3))
            array([[1, 2]])
        """
        self.check_inside(frame.shape)
        return frame[self.y : self.y + self.height, self.x : self.x + self.width]

    def check_inside(self, shape: tuple[int, ...]) -> None:
        """Raise a ValueError if the box reaches out of frames of this `(height, width)`."""
        height, width = shape
        if self.x + self.width > width or self.y + self.height > height:
            raise ValueError(
                f"the box {self} (x,y,width,height) reaches out of the frames, which are {width} "
                f"wide and {height} high; make it smaller or move it"
            )


@dataclass(frozen=True)
class Crop:
    """The step `crop`: the same box of every frame.

    Args:
        box: which part.

    Example:
        >>> Crop(Box(10, 20, 32, 16)).apply(np.zeros((7, 64, 64))).shape
        (7, 16, 32)
    """

    name: ClassVar[str] = "crop"
    box: Box

    def parameters(self) -> dict[str, Any]:
        """What the record of a run says about this step."""
        return asdict(self.box)

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack of the box.

        Raises:
            ValueError: the box reaches out of the frames.
        """
        self.box.check_inside(frames.shape[1:])
        return _Windowed(frames, self.box, None)


@dataclass(frozen=True)
class FollowLaser:
    """The step `crop` with a window that goes along with the laser.

    The laser stays in the middle of the window until the window meets a border of the frame, where
    it stops: it never reaches out, and it moves by whole pixels, so that no grey level is
    interpolated. `left_px` and `top_px` in `positions` say where it was in each frame.

    Args:
        width: columns of the window.
        height: rows of the window.
        path: where the laser is in every frame; None finds it from the frames (`find_laser`).
        top: row of the window's upper edge; None puts the rows in which something brightens in the
            middle if the path is found, else the middle of the frame.

    Example:
        >>> moving = FollowLaser(4, 2, LaserPath(column=3, px_per_frame=2), top=0)
        >>> stack = moving.apply(np.arange(20) + np.zeros((4, 2, 20)))
        >>> [int(frame[0, 0]) for frame in stack]
        [1, 3, 5, 7]
    """

    name: ClassVar[str] = "crop"
    width: int
    height: int
    path: LaserPath | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        Box(0, self.top or 0, self.width, self.height)  # refuses what is wrong

    def parameters(self) -> dict[str, Any]:
        """What the record of a run says about this step."""
        return {"follow": "laser", **asdict(self)}

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack of the moving window.

        Raises:
            ValueError: the window is larger than the frames, or the laser cannot be found.
            ReadError: none of the frames can be read.
        """
        height, width = frames.shape[1:]
        Box(0, self.top or 0, self.width, self.height).check_inside((height, width))
        path, middle = self.path, height / 2
        if path is None:
            found = find_laser(frames)
            path, middle = found.path, found.row
        top = self.top
        if top is None:
            top = min(max(round(middle - self.height / 2), 0), height - self.height)
        windowed = _Windowed(frames, Box(0, top, self.width, self.height), path)
        windowed.measured = asdict(path) | {"top_px": top}
        return windowed


class _Windowed(LazyFrames):
    """A box of every frame; along a path, if there is one, its columns are those of the laser."""

    def __init__(self, frames: Frames, box: Box, path: LaserPath | None) -> None:
        super().__init__(frames)
        self.shape = (len(frames), box.height, box.width)
        self._box = box
        self._path = path

    def compute(self, index: int) -> np.ndarray:
        return np.ascontiguousarray(self._at(index).cut(self.frames[index]), np.float32)

    def positions(self, index: int) -> dict[str, float]:
        box = self._at(index)
        return {"left_px": box.x, "top_px": box.y}

    def _at(self, index: int) -> Box:
        if self._path is None:
            return self._box
        left = round(self._path.at(index) - self._box.width / 2)
        last = self.frames.shape[2] - self._box.width
        return Box(min(max(left, 0), last), self._box.y, self._box.width, self._box.height)
