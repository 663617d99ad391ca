"""Grey-level scaling: from the detector's numbers to those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amseg_keras.preprocess.lazy import readable, spread
from amseg_keras.read import Frames

MAX_SAMPLED_FRAMES = 64
"""A range is measured on at most this many frames, evenly spread over the stack."""

MAX_SAMPLED_PIXELS = 1 << 18
"""... and on at most about this many pixels of each."""


@dataclass(frozen=True)
class GreyRange:
    """The grey levels of one stack that become the lower and upper end of the network's input.

    Args:
        low: grey level that becomes 0.
        high: grey level that becomes `top`; equal to `low` for a stack without contrast.
        top: upper end of the network's input, 1 or 255.
    """

    low: float
    high: float
    top: float

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Scale grey levels to `0..top`, clipped; float32 of the same shape.

        Example:
            >>> GreyRange(100, 300, 1.0).apply(np.array([[50, 200, 400]], "uint16"))
            array([[0. , 0.5, 1. ]], dtype=float32)
        """
        if self.high <= self.low:
            return np.zeros(frame.shape, np.float32)
        # float64, so that 12-bit counts and the same counts times 16 scale to the same number
        scaled = (frame.astype(np.float64) - self.low) * (self.top / (self.high - self.low))
        return np.clip(scaled, 0, self.top).astype(np.float32)


@dataclass(frozen=True)
class GreyScaling:
    """How a preset wants its grey levels.

    Args:
        method: `"percentile"` stretches the stack between two of its percentiles, as the ESRF
            beamtime's own processing does, so that 8, 12, 16-bit and float frames of one scene
            give the same input. `"as_is"` passes 8-bit frames unchanged (the authors' weights were
            trained on 0..255) and stretches deeper ones by percentiles to the same range.
        low_percent: percentile of the stack that becomes 0.
        high_percent: percentile that becomes `top`.
        top: upper end of the network's input.

    Raises:
        ValueError: no such method, percentiles that do not rise from 0 to 100, or no upper end.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     GreyScaling().measure(stack)
        GreyRange(low=0.0, high=251.0, top=1.0)
        >>> GreyScaling("as_is", top=255.0).measure(np.zeros((1, 4, 6), "uint8"))
        GreyRange(low=0.0, high=255.0, top=255.0)
    """

    method: Literal["percentile", "as_is"] = "percentile"
    low_percent: float = 0.1
    high_percent: float = 99.9
    top: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in ("percentile", "as_is"):
            raise ValueError(f"grey scaling {self.method!r} is neither 'percentile' nor 'as_is'")
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
        sample = np.concatenate([pixels.ravel() for pixels in _sample(frames)])
        if self.method == "as_is" and sample.dtype == np.uint8:
            return GreyRange(0.0, self.top, self.top)
        # Counts need no large copy in float64; between signed integers NumPy overflows.
        exact = sample if sample.dtype.kind == "u" else sample.astype(np.float64)
        ends = [self.low_percent, self.high_percent]
        low, high = np.percentile(exact, ends, overwrite_input=True)
        return GreyRange(float(low), float(high), self.top)


def _sample(frames: Frames) -> Iterator[np.ndarray]:
    """Every n-th pixel in both directions of evenly spread frames."""
    for _, frame in readable(frames, spread(len(frames), MAX_SAMPLED_FRAMES)):
        step = int(np.ceil(np.sqrt(max(frame.size / MAX_SAMPLED_PIXELS, 1))))
        yield np.asarray(frame[::step, ::step])
