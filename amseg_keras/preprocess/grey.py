"""Grey-level scaling: from the detector's numbers to those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from amseg_keras.preprocess.lazy import readable, spread
from amseg_keras.read import Frames

MAX_SAMPLED_FRAMES = 64
"""A range is measured on at most this many frames, evenly spread over the stack."""

MAX_SAMPLED_PIXELS = 1 << 18
"""... and on at most about this many pixels of each."""

SPECIMEN_SHARE = 0.8
"""Share of the network's input below the knee, where the specimen's grey levels are."""

ABOVE_SPECIMEN = 4.0
"""The knee lies so far above the specimen's median, in distances from its 5 percentile to there."""

LEAST_SPREAD = 0.01
"""That distance is at least this share of the stretch, where grey levels are few."""

LEAST_APART = 0.1
"""Bright and dark pixels whose mean rows differ by less, in frame heights, are no gas and plate."""

Method = Literal["percentile", "specimen", "as_is"]


@dataclass(frozen=True)
class GreyRange:
    """The grey levels of one stack that become the lower and upper end of the network's input.

    Args:
        low: grey level that becomes 0.
        high: grey level that becomes `top`; equal to `low` for a stack without contrast.
        top: upper end of the network's input, 1 or 255.
        knee: grey level that becomes 0.8 `top`, with straight lines to both ends; `None` for one
            straight line from end to end.
    """

    low: float
    high: float
    top: float
    knee: float | None = None

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Scale grey levels to `0..top`, clipped; float32 of the same shape.

        Example:
            >>> GreyRange(100, 300, 1.0).apply(np.array([[50, 200, 400]], "uint16"))
            array([[0. , 0.5, 1. ]], dtype=float32)
            >>> GreyRange(0, 1000, 1.0, knee=100).apply(np.array([[50, 100, 550]], "uint16"))
            array([[0.4, 0.8, 0.9]], dtype=float32)
        """
        if self.high <= self.low:
            return np.zeros(frame.shape, np.float32)
        if self.knee is not None:
            levels = [self.low, self.knee, self.high]
            inputs = [0.0, SPECIMEN_SHARE * self.top, self.top]
            return np.interp(frame, levels, inputs).astype(np.float32)
        # float64, so that 12-bit counts and the same counts times 16 scale to the same number
        scaled = (frame.astype(np.float64) - self.low) * (self.top / (self.high - self.low))
        return np.clip(scaled, 0, self.top).astype(np.float32)


@dataclass(frozen=True)
class GreyScaling:
    """How a preset wants its grey levels.

    Args:
        method: `"percentile"` stretches the stack between two of its percentiles, as the ESRF
            beamtime's own processing does, so that 8, 12, 16-bit and float frames of one scene
            give the same input. `"specimen"` gives most of the input to the specimen: where gas
            above it is far brighter, the gas gets the uppermost fifth only; other frames are
            stretched as by `"percentile"`. `"as_is"` passes 8-bit frames unchanged (the authors'
            weights were trained on 0..255) and stretches deeper ones by percentiles to the same
            range.
        low_percent: percentile of the stack that becomes 0.
        high_percent: percentile that becomes `top`.
        top: upper end of the network's input.

    Raises:
        ValueError: no such method, percentiles that do not rise from 0 to 100, or no upper end.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     GreyScaling().measure(stack)
        GreyRange(low=0.0, high=251.0, top=1.0, knee=None)
        >>> GreyScaling("as_is", top=255.0).measure(np.zeros((1, 4, 6), "uint8"))
        GreyRange(low=0.0, high=255.0, top=255.0, knee=None)
    """

    method: Method = "percentile"
    low_percent: float = 0.1
    high_percent: float = 99.9
    top: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            known = ", ".join(get_args(Method))
            raise ValueError(f"no grey scaling is called {self.method!r}; there are {known}")
        if not 0 <= self.low_percent < self.high_percent <= 100:
            raise ValueError(
                f"percentiles {self.low_percent} and {self.high_percent} must be rising "
                "and between 0 and 100"
            )
        if not 0 < self.top <= 65535:
            raise ValueError(f"the upper end of the input, {self.top}, must be above 0")

    def measure(self, frames: Frames) -> GreyRange:
        """The range of a stack `(frames, height, width)`, read lazily, any real dtype.

        Percentiles are taken over the whole stack, so that a frame does not change its brightness
        when its neighbours do; of a stack of more than 64 frames, over 64 spread evenly. Frames
        that cannot be read are left out.

        Args:
            frames: the stack.

        Raises:
            ReadError: none of the frames can be read.
        """
        sampled = list(_sample(frames))
        sample = np.concatenate([pixels.ravel() for pixels in sampled])
        if self.method == "as_is" and sample.dtype == np.uint8:
            return GreyRange(0.0, self.top, self.top)
        # Counts need no large copy in float64; between signed integers NumPy overflows.
        exact = sample if sample.dtype.kind == "u" else sample.astype(np.float64)
        ends = [self.low_percent, self.high_percent]
        low, high = map(float, np.percentile(exact, ends, overwrite_input=True))
        knee = _knee(np.stack(sampled), low, high) if self.method == "specimen" else None
        return GreyRange(low, high, self.top, knee)


def _knee(sample: np.ndarray, low: float, high: float) -> float | None:
    """Find the grey level above which there is only gas, or None if gas takes no large part.

    Args:
        sample: Frames of a stack, `(frames, height, width)`.
        low: Lower end of the stretch.
        high: Upper end of the stretch.
    """
    from skimage.filters import threshold_otsu

    if high <= low:
        return None
    levels = np.clip(sample.astype(np.float32), low, high)
    dark = levels <= threshold_otsu(levels)
    rows = np.arange(levels.shape[1])
    dark_in_row = dark.mean(axis=(0, 2))
    bright_in_row = 1 - dark_in_row
    if not dark_in_row.any() or not bright_in_row.any():
        return None
    apart = np.average(rows, weights=dark_in_row) - np.average(rows, weights=bright_in_row)
    if apart < LEAST_APART * len(rows):  # the gas is above the specimen
        return None
    fifth, median = np.percentile(levels[dark], [5, 50])
    knee = float(median + ABOVE_SPECIMEN * max(median - fifth, LEAST_SPREAD * (high - low)))
    return knee if low < knee < low + SPECIMEN_SHARE * (high - low) else None


def _sample(frames: Frames) -> Iterator[np.ndarray]:
    """Every n-th pixel in both directions of evenly spread frames."""
    for _, frame in readable(frames, spread(len(frames), MAX_SAMPLED_FRAMES)):
        step = int(np.ceil(np.sqrt(max(frame.size / MAX_SAMPLED_PIXELS, 1))))
        yield np.asarray(frame[::step, ::step])
