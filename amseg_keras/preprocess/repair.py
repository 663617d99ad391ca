"""Repair frames: bad pixels, and less noise by a small median or by non-local means."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras._on_demand import needed
from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, readable, spread
from amseg_keras.read import Frames, ReadError

_MOST_MEASURED = 20
_FEWEST_NEIGHBOURS = 3


@dataclass(frozen=True)
class Repair:
    """The step `repair`: replace NaN, infinite and dead pixels by the median of their neighbours.

    Dead pixels are those that `dead_pixels` finds. It is the first step, since it looks at the
    values as the detector stored them.

    Args:
        inverted: True if the frames are stored with 0 as white; then they are inverted.

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
        """Return the settings of this step, for the record of a run."""
        return {"inverted": self.inverted}

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the repaired stack."""
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
        return np.asarray(~np.isfinite(frame))
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
    return np.asarray(marked & np.concatenate([[False], dead])[regions])


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
    """Return the dtype's largest value: frames are subtracted from it to make 0 white."""
    dtype = np.dtype(getattr(frames, "dtype", np.float32))
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).max)
    chosen = readable(frames, spread(len(frames), _MOST_MEASURED))
    return max(float(np.max(frame, where=np.isfinite(frame), initial=0)) for _, frame in chosen)


# scikit-image and SciPy are imported where they are used: they take a second, which `amseg
# segment`, whose grey levels come from this package too, need not wait for.

SIGMA_PAIRS = 8
"""The noise of a stack is the median over this many pairs of frames, spread over it."""


def median_filter(frame: np.ndarray, size: int = 3) -> np.ndarray:
    """Take the median over a square around each pixel, mirrored at the borders.

    Args:
        frame: `(height, width)`, any real dtype.
        size: side of the square in pixels, odd.

    Returns:
        Same shape and dtype.

    Example:
        >>> spot = np.zeros((5, 5), "uint8")
        >>> spot[2, 2] = 255
        >>> int(median_filter(spot).max())
        0
    """
    from scipy.ndimage import median_filter as scipy_median

    return np.asarray(scipy_median(frame, size=size, mode="mirror"))


def noise_sigma(frame: np.ndarray, following: np.ndarray | None = None) -> float:
    """Estimate the standard deviation of the noise, from differences of neighbouring frames.

    The sample hardly changes from frame to frame, the noise does. It so counts in full also where
    neighbouring pixels share it (correlation 0.5 to 0.7 at the ESRF, more after a median filter),
    which estimates from one frame miss. The tenth of the pixels that differ most, where the melt
    pool moves, are left out. Of a single frame, second differences are taken, which edges hardly
    change (weights of Immerkaer, Computer Vision and Image Understanding 64, 1996).

    Args:
        frame: `(height, width)`, any real dtype.
        following: next frame; None estimates from one frame.

    Returns:
        In the frame's grey levels; 0 for a single frame of under 3 x 3 pixels.

    Example:
        >>> first, second = np.random.default_rng(0).normal(0, 5, (2, 100, 100))
        >>> round(noise_sigma(first, second)), round(noise_sigma(first))
        (5, 5)
    """
    levels = np.asarray(frame, np.float64)
    if following is not None:
        difference, gain = following - levels, math.sqrt(2)
    elif min(levels.shape) >= 3:
        across = levels[:, :-2] - 2 * levels[:, 1:-1] + levels[:, 2:]
        difference = across[:-2] - 2 * across[1:-1] + across[2:]
        gain = 6.0  # norm of the weights 1 -2 1 / -2 4 -2 / 1 -2 1
    else:
        return 0.0
    size = np.abs(difference - np.median(difference))
    usual = size[size <= np.percentile(size, 90)]
    # The mean, unlike the median, is not rounded to whole levels in 8-bit frames. 0.6573 is the
    # mean of |x| of a normal distribution without its outer tenth.
    return float(usual.mean() / 0.6573 / gain)


def non_local_means(frame: np.ndarray, sigma: float, strength: float = 0.8) -> np.ndarray:
    """Average of pixels whose surroundings look alike, which keeps edges (scikit-image).

    Patches of 5 x 5 pixels, looked for within 6 pixels, weighted with `h = strength * sigma`.

    Args:
        frame: `(height, width)`, float.
        sigma: standard deviation of the noise, in the frame's grey levels.
        strength: larger is smoother; 0.8 is usual where `sigma` is known.

    Returns:
        Same shape, float32; the frame itself if there is no noise.

    Example:
        >>> noisy = np.random.default_rng(0).normal(0.5, 0.1, (32, 32))
        >>> bool(non_local_means(noisy, 0.1).std() < 0.05)
        True
    """
    frame = np.asarray(frame, np.float32)
    if sigma <= 0:
        return frame
    restoration = needed("skimage.restoration", "the filter by non-local means")
    return np.asarray(
        restoration.denoise_nl_means(
            frame, patch_size=5, patch_distance=6, h=strength * sigma, sigma=sigma, fast_mode=True
        ),
        np.float32,
    )


@dataclass(frozen=True)
class Median:
    """The step `median`: `median_filter` on every frame.

    Args:
        size: side of the square in pixels, odd, 3 or more.

    Raises:
        ValueError: the size is even or below 3.

    Example:
        >>> hot = np.zeros((6, 32, 32), "uint16")
        >>> hot[:, 10, 20] = 4095
        >>> float(Median(3).apply(hot)[0].max())
        0.0
    """

    name: ClassVar[str] = "median"
    size: int = 3

    def __post_init__(self) -> None:
        if self.size < 3 or self.size % 2 == 0:
            raise ValueError(f"a median of {self.size} pixels is not possible; take 3, 5 or 7")

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the filtered stack."""
        return EachFrame(frames, lambda frame: median_filter(frame, self.size))


@dataclass(frozen=True)
class NonLocalMeans:
    """The step `nlm`: `non_local_means` on every frame, with one noise level for the stack.

    Args:
        strength: larger is smoother; 0.8 is usual.

    Raises:
        ValueError: the strength is not above 0.

    Example:
        >>> noisy = np.random.default_rng(0).normal(100, 5, (4, 32, 32))
        >>> smooth = NonLocalMeans().apply(noisy)
        >>> round(smooth.measured["sigma"]), bool(smooth[0].std() < 2.5)
        (5, True)
    """

    name: ClassVar[str] = "nlm"
    strength: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.strength < math.inf:
            raise ValueError(f"a strength of {self.strength} is not possible; it is about 0.8")

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the filtered stack.

        Raises:
            ReadError: none of the frames can be read.
        """
        sigma = float(np.median(_sigmas(frames)))
        filtered = EachFrame(frames, lambda frame: non_local_means(frame, sigma, self.strength))
        filtered.measured = {"sigma": sigma}
        return filtered


def _sigmas(frames: Frames) -> list[float]:
    """Measure the noise in a few pairs of frames, or in the first frame that can be read."""
    found = []
    for index in spread(len(frames) - 1, SIGMA_PAIRS) if len(frames) > 1 else []:
        try:
            found.append(noise_sigma(frames[index], frames[index + 1]))
        except ReadError:
            continue
    if not found:
        _, frame = next(iter(readable(frames, list(range(len(frames))))))
        found.append(noise_sigma(frame))
    return found
