"""Tell which axis of an array is frames, rows, columns or colour, and make pixels grey."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.read.errors import ReadError

COLOUR_NOTE = "colour turned to grey (ITU-R 601 luma)"

# Lossy coding and colour conversion leave a grey 8-bit picture with channels that differ by a
# level or two; that is no colour.
_GREY_SPREAD_8BIT = 2

_CLASS_IDS: ContextVar[str | None] = ContextVar("class_ids", default=None)


@contextmanager
def class_ids(where: str) -> Iterator[None]:
    """Refuse to convert colour to grey inside the block, because class ids cannot be mixed.

    Args:
        where: Start of the error's message: the file, perhaps with a frame number.

    Example:
        >>> with class_ids("labels.tif"):
        ...     to_grey(np.array([[[2, 2, 2]]], dtype=np.uint8))
        array([[2]], dtype=uint8)
    """
    token = _CLASS_IDS.set(where)
    try:
        yield
    finally:
        _CLASS_IDS.reset(token)


def reads_class_ids() -> bool:
    """Tell whether this code runs inside a block of `class_ids`."""
    return _CLASS_IDS.get() is not None


def is_colour(frame: np.ndarray) -> bool:
    """Tell whether the first three channels of a ``(height, width, channels)`` array differ."""
    if frame.ndim != 3 or frame.shape[-1] < 3:
        return False
    red, green, blue = (frame[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return False
    if frame.dtype != np.uint8:
        return True
    rgb = frame[..., :3]
    return int((rgb.max(axis=-1) - rgb.min(axis=-1)).max()) > _GREY_SPREAD_8BIT


def to_grey(frame: np.ndarray) -> np.ndarray:
    """Reduce the channels of a frame to one, in the same dtype.

    One channel, or grey with alpha, gives the first; RGB and RGBA give ITU-R 601 luma, which for
    three equal channels is exactly that channel.

    Args:
        frame: ``(height, width)`` or ``(height, width, channels)`` with 1 to 4 channels.

    Returns:
        Array ``(height, width)``.

    Raises:
        ValueError: There are more than four channels.
        ReadError: The channels differ, inside a block of `class_ids`.

    Example:
        >>> int(to_grey(np.full((1, 1, 3), [255, 0, 0], dtype=np.uint8))[0, 0])
        76
    """
    if frame.ndim == 2:
        return frame
    channels = frame.shape[-1]
    if channels > 4:
        raise ValueError(f"a frame of {channels} channels is neither grey nor RGB")
    if channels < 3:
        return frame[..., 0]
    where = _CLASS_IDS.get()
    if where is not None:
        if not (frame[..., 1:3] == frame[..., :1]).all():
            raise ReadError(
                f"{where}: has {channels} channels that differ, and a mixture of class ids would "
                "be another class; if the channels are frames: --axes TYX, or --axes YXT where "
                "they lie along the last axis; if they are colours, turn them into class ids: "
                "amseg dataset import"
            )
        return frame[..., 0]
    if frame.dtype.kind == "u" and frame.dtype.itemsize <= 2:
        # Whole thousandths: exact, and half the time of a copy of all channels in uint32.
        luma = np.full(frame.shape[:2], 500, dtype=np.uint32)
        for channel, weight in enumerate((299, 587, 114)):
            luma += np.multiply(frame[..., channel], np.uint32(weight), dtype=np.uint32)
        return (luma // np.uint32(1000)).astype(frame.dtype)
    red, green, blue = (frame[..., channel].astype(np.float64) for channel in range(3))
    # Written as differences so that equal channels come out unchanged to the last bit.
    real = green + 0.299 * (red - green) + 0.114 * (blue - green)
    return (real if frame.dtype.kind == "f" else np.rint(real)).astype(frame.dtype)


def plain_dtype(dtype: np.dtype, where: str) -> np.dtype:
    """Return the dtype of the frames: native byte order, bool as uint8.

    Raises:
        ReadError: The dtype is complex, object, string or another type without grey values.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "uif":
        return dtype.newbyteorder("=")
    raise ReadError(
        f"{where}: holds {dtype} values, which are not grey values; "
        "save it as integers or real numbers"
    )


_SMALLEST_PICTURE = 16
_COLOURS = (3, 4)


@dataclass(frozen=True)
class Layout:
    """An array on disk as a stack of frames.

    Attributes:
        shape: Shape of the array.
        axes: Letter for each axis: Y, X, S for colour samples; other axes count frames.

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
        """True if an axis holds colour samples."""
        return "S" in self.axes

    def region(self, index: int) -> tuple[int | slice, ...]:
        """Return the index of a frame in the array."""
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
    """Lay out an array by the axes that the user gave.

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
    """Lay out an array by the axes that its file states, or by its shape.

    Args:
        known: Letters of the axes in the file, or None.

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
    """Tell whether an array is a colour picture, not frames three or four pixels wide."""
    return (
        len(shape) == 3
        and shape[-1] in _COLOURS
        and min(shape[:2]) >= _SMALLEST_PICTURE
        and dtype.kind == "u"
        and dtype.itemsize <= 2
    )


def layout_note(layout: Layout, asked: str | None, known: str | None) -> str | None:
    """Say how an array was read, if another reading is possible."""
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
