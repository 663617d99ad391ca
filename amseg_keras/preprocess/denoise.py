"""Less noise: a small median, and non-local means."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, readable, spread
from amseg_keras.read import Frames, ReadError

# scikit-image and SciPy are imported where they are used: they take a second, which `amseg
# segment`, whose grey levels come from this package too, need not wait for.

SIGMA_PAIRS = 8
"""The noise of a stack is the median over this many pairs of frames, spread over it."""


def median_filter(frame: np.ndarray, size: int = 3) -> np.ndarray:
    """Median over a square around each pixel, mirrored at the borders: hot pixels vanish.

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
    """Standard deviation of the noise, from what differs between a frame and the next one.

    The sample hardly changes from frame to frame, the noise does. It so counts in full also where
    neighbouring pixels share it (correlation 0.5 to 0.7 at the ESRF, more after a median filter),
    which estimates from one frame miss. The tenth of the pixels that differ most, where the melt
    pool moves, are left out. Of a single frame, second differences are taken, which edges hardly
    change (weights of Immerkaer, Computer Vision and Image Understanding 64, 1996).

    Args:
        frame: `(height, width)`, any real dtype.
        following: the next frame; None for the estimate from one frame.

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
    from skimage.restoration import denoise_nl_means

    return np.asarray(
        denoise_nl_means(
            frame,
            patch_size=5,
            patch_distance=6,
            h=strength * sigma,
            sigma=sigma,
            fast_mode=True,
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
        """What the record of a run says about this step."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """The filtered stack."""
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
        """What the record of a run says about this step."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """The filtered stack.

        Raises:
            ReadError: none of the frames can be read.
        """
        sigma = float(np.median(_sigmas(frames)))
        filtered = EachFrame(frames, lambda frame: non_local_means(frame, sigma, self.strength))
        filtered.measured = {"sigma": sigma}
        return filtered


def _sigmas(frames: Frames) -> list[float]:
    """The noise of a few pairs of frames; without any, that of the first one readable."""
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
