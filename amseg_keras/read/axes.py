"""Which axis of an array is frames, rows, columns and colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.read.errors import ReadError
from amseg_keras.read.grey import to_grey

_SMALLEST_PICTURE = 16
_COLOURS = (3, 4)


@dataclass(frozen=True)
class Layout:
    """An array on disk as a stack of frames.

    Attributes:
        shape: Shape of the array.
        axes: A letter for each axis: Y, X, S for colour samples; the others count frames.

    Example:
        >>> layout = Layout((5, 4, 10), "YXT")
        >>> layout.frames, layout.height, layout.width
        (10, 5, 4)
        >>> layout.frame(np.arange(200).reshape(5, 4, 10), 3)[0]
        array([ 3, 13, 23, 33])
    """

    shape: tuple[int, ...]
    axes: str

    @property
    def frames(self) -> int:
        """Number of frames."""
        return math.prod(self._counts)

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.shape[self.axes.index("Y")]

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.shape[self.axes.index("X")]

    @property
    def has_colour(self) -> bool:
        """Whether an axis holds colour samples."""
        return "S" in self.axes

    def region(self, index: int) -> tuple[int | slice, ...]:
        """Index of a frame in the array."""
        # In turn along the axes as they stand in the array, the last one fastest.
        position = iter(np.unravel_index(index, self._counts)) if self._counts else iter(())
        return tuple(slice(None) if axis in "YXS" else int(next(position)) for axis in self.axes)

    def frame(self, array: Any, index: int) -> np.ndarray:
        """Read frame `index` of an array, grey ``(height, width)``."""
        pixels = np.asarray(array[self.region(index)])
        kept = [axis for axis in self.axes if axis in "YXS"]
        wanted = "YXS" if self.has_colour else "YX"
        return to_grey(pixels.transpose([kept.index(axis) for axis in wanted]))

    @property
    def _counts(self) -> tuple[int, ...]:
        return tuple(
            size for size, axis in zip(self.shape, self.axes, strict=True) if axis not in "YXS"
        )


def asked_layout(shape: tuple[int, ...], axes: str, where: str) -> Layout:
    """Lay out an array as the user says.

    Raises:
        ReadError: The array has another number of axes, an empty axis, or too many colours.
    """
    if len(axes) != len(shape):
        raise ReadError(
            f"{where}: has {len(shape)} axes ({_by(shape)}), but --axes {axes} names {len(axes)}; "
            "give a letter for each"
        )
    layout = Layout(tuple(shape), axes)
    if 0 in shape or (layout.has_colour and shape[axes.index("S")] > 4):
        raise ReadError(
            f"{where}: is {_by(shape)}, which holds no frames with --axes {axes}; check --axes"
        )
    return layout


def find_layout(shape: tuple[int, ...], dtype: np.dtype, known: str | None) -> Layout | None:
    """Lay out an array of which at most the file itself says the axes.

    Args:
        shape: Of the array.
        dtype: Of the array.
        known: Letters of its axes, where the file says them.

    Returns:
        None if the array holds no frames.
    """
    if known is not None and len(known) == len(shape) and {"X", "Y"} <= set(known):
        return Layout(shape, known)
    if len(shape) not in (2, 3, 4) or 0 in shape:
        return None
    if looks_coloured(shape, dtype):
        return Layout(shape, "YXS")
    if len(shape) < 4:
        return Layout(shape, "TYX"[-len(shape) :])
    # A channel or detector axis stands second, last or first.
    single = next((axis for axis in (1, 3, 0, 2) if shape[axis] == 1), None)
    if single is None:
        return None
    letters = list("TYX")
    letters.insert(single, "C")
    return Layout(shape, "".join(letters))


def looks_coloured(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array is a colour picture rather than frames three or four pixels wide."""
    return (
        len(shape) == 3
        and shape[-1] in _COLOURS
        and min(shape[:2]) >= _SMALLEST_PICTURE
        and dtype.kind == "u"
        and dtype.itemsize <= 2
    )


def layout_note(layout: Layout, asked: str | None, known: str | None) -> str | None:
    """Say which reading of an array was taken, where another one is possible."""
    taken = f"axes {layout.axes} ({_by(layout.shape)})"
    if asked is not None:
        return f"{taken} as asked by --axes"
    if known is not None and layout.axes == known:
        return None if known in ("YX", "TYX") else f"{taken} as the file says"
    if layout.axes == "YXS":
        return (
            f"{taken} taken: one colour picture; if these are frames: --axes TYX, or --axes YXT "
            "if they lie along the last axis"
        )
    if layout.axes == "TYX":
        frames, height, width = layout.shape
        if 4 * width < min(frames, height):
            return (
                f"{taken} taken: {frames} frames of {height} x {width}; if the frames lie along "
                "the last axis: --axes YXT"
            )
    return None


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
