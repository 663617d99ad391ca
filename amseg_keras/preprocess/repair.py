"""Pixels that hold no grey level, and frames that are stored with black and white swapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.lazy import LazyFrames, readable, spread
from amseg_keras.read import Frames, ReadError

_MOST_MEASURED = 20
_FEWEST_NEIGHBOURS = 3


@dataclass(frozen=True)
class Repair:
    """The step `repair`: replace NaN, infinite and dead pixels by the median of their neighbours.

    Dead pixels are those that `dead_pixels` finds. It is the first step, since it looks at the
    values as the detector stored them.

    Args:
        inverted: Whether the frames are stored with 0 as white; then they are turned over.

    Example:
        >>> frame = np.arange(12, dtype="uint16").reshape(3, 4)
        >>> frame[1, 2] = 65535
        >>> repaired = Repair().apply(frame[None])
        >>> repaired[0][1], repaired.measured["repaired_px"]
        (array([4., 5., 6., 7.], dtype=float32), 1)
    """

    name: ClassVar[str] = "repair"
    inverted: bool = False

    def parameters(self) -> dict[str, Any]:
        """What the record of a run says about this step."""
        return {"inverted": self.inverted}

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack after the repair."""
        return _Repaired(frames, self.inverted)


class _Repaired(LazyFrames):
    def __init__(self, frames: Frames, inverted: bool) -> None:
        super().__init__(frames)
        self._white = _white_level(frames) if inverted else None
        self._repaired: dict[int, int] = {}
        self.measured = {"repaired_px": 0, "repaired_frames": 0, "inverted": inverted}

    def compute(self, index: int) -> np.ndarray:
        stored = np.asarray(self.frames[index])
        bad = bad_pixels(stored)
        count = int(np.count_nonzero(bad))
        if count == bad.size:
            raise ReadError(f"frame {index}: all of its pixels are NaN, infinite or dead")
        frame = stored.astype(np.float32)
        if count:
            frame = fill(frame, bad)
        if self._white is not None:
            frame = np.float32(self._white) - frame
        if index not in self._repaired:
            self._repaired[index] = count
            self.measured["repaired_px"] += count
            self.measured["repaired_frames"] += count > 0
        return frame

    def positions(self, index: int) -> dict[str, float]:
        return {"repaired_px": self._repaired.get(index, 0)}


def bad_pixels(frame: np.ndarray) -> np.ndarray:
    """Find pixels that hold no grey level: NaN, infinite or dead.

    Args:
        frame: `(height, width)` as stored.

    Returns:
        bool `(height, width)`.
    """
    if frame.dtype.kind == "f":
        return ~np.isfinite(frame)
    return dead_pixels(frame)


def dead_pixels(frame: np.ndarray) -> np.ndarray:
    """Find the dead pixels of a detector, which it stores as the largest value there is.

    That is 65535 in 16 bits and 2^32 - 1 in 32; 2^32 - 2 marks bad pixels too, and in signed
    frames -1 and -2. Pixels at the largest value whose surroundings are nearly as bright are
    saturated, not dead. 8-bit frames have no dead pixels.

    Args:
        frame: `(height, width)` of integers.

    Returns:
        bool `(height, width)`.

    Example:
        >>> dead_pixels(np.array([[7, 7], [7, 65535]], "uint16"))
        array([[False, False],
               [False,  True]])
    """
    if frame.dtype.kind not in "iu" or frame.dtype.itemsize < 2:
        return np.zeros(frame.shape, bool)
    highest = int(np.iinfo(frame.dtype).max)
    if frame.dtype.kind == "i":
        marked = (frame == -1) | (frame == -2)
        # Counts are not negative; a frame with other negative values holds something else.
        return marked if int(frame.min()) >= -2 else np.zeros(frame.shape, bool)
    marked = frame >= highest - 1 if frame.dtype.itemsize > 2 else frame == highest
    if not marked.any():
        return marked
    from scipy import ndimage

    regions, count = ndimage.label(marked, structure=np.ones((3, 3)))
    around = ndimage.grey_dilation(regions, size=(3, 3))
    around[marked] = 0
    known = around > 0
    if not known.any():
        return marked
    medians = np.atleast_1d(ndimage.median(frame, around, np.arange(1, count + 1)))
    # A region without a border of its own, between others, is as dead as they are.
    dead = ~(medians >= 0.5 * highest)
    return marked & np.concatenate([[False], dead])[regions]


def fill(frame: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Replace pixels by the median of the nearest good ones around them.

    The window around each grows from 3 x 3 pixels until it holds three good ones.

    Args:
        frame: float32 `(height, width)`.
        bad: bool `(height, width)`; not all of it.

    Returns:
        A new array like `frame`.

    Example:
        >>> fill(np.array([[1, 2, 3], [4, np.nan, 6]], "float32"), np.array([[0] * 3, [0, 1, 0]]))
        array([[1., 2., 3.],
               [4., 3., 6.]], dtype=float32)
    """
    bad = np.asarray(bad, bool)
    filled = np.array(frame, np.float32)
    filled[bad] = np.nan
    rows, columns = np.nonzero(bad)
    source = filled.copy()
    radius = 1
    while len(rows):
        padded = np.pad(source, radius, constant_values=np.nan)
        size = 2 * radius + 1
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
        left = []
        # A few at a time: a window of a large gap is large.
        step = max(1, (1 << 22) // size**2)
        for first in range(0, len(rows), step):
            here = slice(first, first + step)
            around = windows[rows[here], columns[here]].reshape(-1, size * size)
            enough = np.isfinite(around).sum(axis=1) >= _FEWEST_NEIGHBOURS
            enough |= radius >= max(frame.shape)
            at = np.flatnonzero(enough)
            if len(at):
                values = np.nanmedian(around[at], axis=1)
                filled[rows[here][at], columns[here][at]] = values
            left.append(first + np.flatnonzero(~enough))
        remaining = np.concatenate(left)
        rows, columns = rows[remaining], columns[remaining]
        radius *= 2
    return filled


def _white_level(frames: Frames) -> float:
    """What is subtracted from, so that 0 becomes white: the largest value of the dtype."""
    dtype = np.dtype(getattr(frames, "dtype", np.float32))
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).max)
    chosen = readable(frames, spread(len(frames), _MOST_MEASURED))
    return max(float(np.max(frame, where=np.isfinite(frame), initial=0)) for _, frame in chosen)
