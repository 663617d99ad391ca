"""Grey-level scaling: from the detector's numbers to those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, readable, spread
from amseg_keras.read import Frames

MAX_SAMPLED_FRAMES = 64
"""A range is measured on at most this many frames, evenly spread over the stack."""

MAX_SAMPLED_PIXELS = 1 << 18
"""... and on at most about this many pixels of each."""

SPECIMEN_INPUT = (0.05, 0.85)
"""Parts of the network's input between which the specimen's grey levels lie."""

DARKEST_PERCENT = 2.0
"""The specimen's grey levels begin at this percentile of its pixels ..."""

TIMES_ABOVE = 2.0
"""... and end so many times as far above the specimen's median as they begin below."""

LEAST_SPREAD = 0.01
"""They begin this share of the stretch below, where the darkest 2 % are as bright as the median."""

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
        specimen_low: grey level that becomes 0.05 `top`; `None` for one straight line from end to
            end, else there are straight lines between the four grey levels.
        specimen_high: grey level that becomes 0.85 `top`, above `specimen_low`.
    """

    low: float
    high: float
    top: float
    specimen_low: float | None = None
    specimen_high: float | None = None

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Scale grey levels to `0..top`, clipped; float32 of the same shape.

        Example:
            >>> GreyRange(100, 300, 1.0).apply(np.array([[50, 200, 400]], "uint16"))
            array([[0. , 0.5, 1. ]], dtype=float32)
            >>> GreyRange(0, 1000, 1.0, 50, 130).apply(np.array([[25, 50, 90, 130]], "uint16"))
            array([[0.025, 0.05 , 0.45 , 0.85 ]], dtype=float32)
        """
        levels = {np.dtype(np.uint8): 1 << 8, np.dtype(np.uint16): 1 << 16}.get(frame.dtype)
        if levels is None or levels > frame.size:
            return self._scaled(frame)
        # A frame has more pixels than grey levels.
        return _table(self, frame.dtype).take(frame)

    def _scaled(self, frame: np.ndarray) -> np.ndarray:
        if self.high <= self.low:
            return np.zeros(frame.shape, np.float32)
        if self.specimen_low is not None and self.specimen_high is not None:
            levels = [
                min(self.low, self.specimen_low),
                self.specimen_low,
                self.specimen_high,
                max(self.high, self.specimen_high),
            ]
            inputs = np.array([0.0, *SPECIMEN_INPUT, 1.0]) * self.top
            return np.asarray(np.interp(frame, levels, inputs).astype(np.float32))
        # float64, so that 12-bit counts and the same counts times 16 scale to the same number
        scaled = (frame.astype(np.float64) - self.low) * (self.top / (self.high - self.low))
        return np.clip(scaled, 0, self.top).astype(np.float32)


@lru_cache(maxsize=4)
def _table(grey_range: GreyRange, dtype: np.dtype) -> np.ndarray:
    """Return the scaled value of every grey level of an integer type."""
    return grey_range._scaled(np.arange(np.iinfo(dtype).max + 1, dtype=dtype))


@dataclass(frozen=True)
class GreyScaling:
    """Scaling of grey levels for a preset.

    Args:
        method: `"percentile"` stretches the stack between two of its percentiles, as the ESRF
            beamtime's own processing does, so that 8, 12, 16-bit and float frames of one scene
            give the same input. `"specimen"` gives most of the input to the specimen, whatever the
            beam beside it is: the gas above gets what is left, however bright or dark. The specimen
            is found by Otsu's threshold, as the one of both sides that lies lower in the frame.
            `"as_is"` passes 8-bit frames unchanged (the authors'
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
        GreyRange(low=0.0, high=251.0, top=1.0, specimen_low=None, specimen_high=None)
        >>> GreyScaling("as_is", top=255.0).measure(np.zeros((1, 4, 6), "uint8"))
        GreyRange(low=0.0, high=255.0, top=255.0, specimen_low=None, specimen_high=None)
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
        """Measure the range of a stack `(frames, height, width)` of any real dtype, read lazily.

        Percentiles are taken over the whole stack, so that a frame does not change its brightness
        when its neighbours do; of a stack of more than 64 frames, over 64 spread evenly. Frames
        that cannot be read are left out.

        Args:
            frames: stack `(frames, height, width)`.

        Raises:
            ReadError: none of the frames can be read.
        """
        sample = list(_sample(frames))
        if self.method == "as_is" and sample[0].dtype == np.uint8:
            return GreyRange(0.0, self.top, self.top)
        levels, counts = _counted(sample)
        low, high = _percentiles(levels, counts, [self.low_percent, self.high_percent])
        if self.method != "specimen" or high <= low:
            return GreyRange(low, high, self.top)
        specimen = _specimen_levels(sample, levels, counts, low, high)
        return GreyRange(low, high, self.top, *specimen)


Counts = np.ndarray | None
"""How many pixels have each grey level; `None` if there is a grey level for each pixel."""


def _counted(sample: Sequence[np.ndarray]) -> tuple[np.ndarray, Counts]:
    """Count the grey levels of frames of 8 or 16 bit, which have far fewer levels than pixels.

    Args:
        sample: Frames `(height, width)` of one dtype.

    Returns:
        The grey levels in rising order, and how many pixels have each. Of other frames the grey
        levels of all pixels, and `None`.
    """
    dtype = sample[0].dtype
    if dtype not in (np.uint8, np.uint16):
        pixels = np.concatenate([frame.ravel() for frame in sample])
        # Between signed integers NumPy overflows.
        return (pixels if dtype.kind == "u" else pixels.astype(np.float64)), None
    counts = np.zeros(np.iinfo(dtype).max + 1, np.int64)
    for frame in sample:
        counts += np.bincount(frame.ravel(), minlength=len(counts))
    levels = np.flatnonzero(counts)
    return levels.astype(dtype), counts[levels]


def _percentiles(
    levels: np.ndarray, counts: Counts, percents: Sequence[float]
) -> tuple[float, float]:
    """Compute two percentiles as `np.percentile` does, of counted grey levels as well."""
    if counts is None:
        low, high = np.percentile(levels, percents)
        return float(low), float(high)
    ends = np.cumsum(counts)
    found = []
    for percent in percents:
        place = np.float64(percent / 100) * (int(ends[-1]) - 1)
        before = int(place)
        after = min(before + 1, int(ends[-1]) - 1)
        below, above = levels[np.searchsorted(ends, [before, after], "right")]
        apart, part = above - below, place - before
        found.append(below + apart * part if part < 0.5 else above - apart * (1 - part))
    return float(found[0]), float(found[1])


def _specimen_levels(
    sample: Sequence[np.ndarray], levels: np.ndarray, counts: Counts, low: float, high: float
) -> tuple[float, float]:
    """Find the grey levels of the specimen, whatever the gas beside it is.

    Args:
        sample: Frames of a stack, each `(height, width)`.
        levels: Grey levels of the sample, from `_counted`.
        counts: How many pixels have each.
        low: Lower end of the stretch.
        high: Upper end of the stretch.

    Returns:
        Lower and upper grey level.
    """
    clipped = np.clip(levels.astype(np.float32), low, high)
    dark = clipped <= _otsu(clipped, counts)
    dark_in_row = _share_in_rows(sample, levels[dark].max())
    specimen = np.ones_like(dark)
    if 0 < dark_in_row.sum() < len(dark_in_row):
        rows = np.arange(len(dark_in_row))
        below = np.average(rows, weights=dark_in_row) - np.average(rows, weights=1 - dark_in_row)
        if abs(below) >= LEAST_APART * len(rows):  # else there is no gas in view
            specimen = dark if below > 0 else ~dark
    of_specimen = None if counts is None else counts[specimen]
    first, median = _percentiles(clipped[specimen], of_specimen, [DARKEST_PERCENT, 50])
    spread = (median - first) or LEAST_SPREAD * (high - low)
    return median - spread, median + TIMES_ABOVE * spread


def _share_in_rows(sample: Sequence[np.ndarray], darkest: float) -> np.ndarray:
    """Share of the pixels of each row, over all frames, that are no brighter than a grey level."""
    height, width = sample[0].shape
    dark = np.zeros((height, width), np.uint8)
    for frame in sample:  # at most 64
        dark += frame <= darkest
    return np.asarray(dark.sum(axis=1, dtype=np.int64) / (len(sample) * width))


def _otsu(levels: np.ndarray, counts: Counts) -> float:
    """Compute Otsu's threshold without `skimage.filters`, which takes long to import."""
    if (levels == levels.flat[0]).all():
        return float(levels.flat[0])
    histogram, edges = np.histogram(levels, 256, weights=counts)
    counts, centres = histogram.astype(np.float32), (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / below
    mean_above = (np.cumsum((counts * centres)[::-1]) / above[::-1])[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[np.argmax(between)])


def _sample(frames: Frames) -> Iterator[np.ndarray]:
    """Sample every n-th pixel in both directions of evenly spread frames."""
    for _, frame in readable(frames, spread(len(frames), MAX_SAMPLED_FRAMES)):
        step = int(np.ceil(np.sqrt(max(frame.size / MAX_SAMPLED_PIXELS, 1))))
        yield np.asarray(frame[::step, ::step])


@dataclass(frozen=True)
class Stretch:
    """The step `stretch`: between two percentiles of the stack, the same for every frame.

    The lower percentile becomes 0 and the upper 1, what lies outside is clipped; measured as by
    `GreyScaling`, on 64 frames spread over the stack (section 2.2 of the paper; the ESRF
    beamtimes took 0.1 and 99.9).

    Args:
        low_percent: percentile that becomes 0.
        high_percent: percentile that becomes 1.

    Raises:
        ValueError: the percentiles are not rising, or not between 0 and 100.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(101, dtype="uint16").reshape(1, 1, 101)
        >>> Stretch(10, 90).apply(ramp)[0][0, [0, 10, 50, 90, 100]]
        array([0. , 0. , 0.5, 1. , 1. ], dtype=float32)
    """

    name: ClassVar[str] = "stretch"
    low_percent: float = 0.1
    high_percent: float = 99.9

    def __post_init__(self) -> None:
        GreyScaling("percentile", self.low_percent, self.high_percent)  # refuses what is wrong

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stretched stack.

        Raises:
            ReadError: none of the frames can be read.
        """
        grey = GreyScaling("percentile", self.low_percent, self.high_percent).measure(frames)
        stretched = EachFrame(frames, grey.apply)
        stretched.measured = {"low": grey.low, "high": grey.high}
        return stretched
