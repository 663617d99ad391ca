"""Frames of a recording as moments, in the unit that suits its length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.quantify.scale import Scale

_UNITS = (("µs", 1e6), ("ms", 1e3), ("s", 1.0))


@dataclass(frozen=True)
class TimeAxis:
    """The axis of a recording.

    Attributes:
        frames: Its length.
        unit: "µs", "ms", "s", or "" where no frame rate is known: then frames are counted.
        per_frame: From one frame to the next, in the unit.
    """

    frames: int
    unit: str
    per_frame: float

    @property
    def label(self) -> str:
        """Of the axis."""
        return f"time ({self.unit})" if self.unit else "frame"

    @property
    def limits(self) -> tuple[float, float]:
        """From the first to the last frame, with half a frame on each side."""
        return -0.5 * self.per_frame, (self.frames - 0.5) * self.per_frame

    def at(self, frame: np.ndarray | float) -> np.ndarray:
        """Where frames, counted from 0, are on the axis; float64 of the same shape."""
        return np.asarray(frame, np.float64) * self.per_frame

    def text(self, frame: int) -> str:
        """A frame in words.

        Example:
            >>> time_axis(Scale(None, 40_000), 60).text(24), time_axis(Scale(), 60).text(24)
            ('0.600 ms', 'frame 24')
        """
        return f"{self.number(frame)} {self.unit}" if self.unit else f"frame {frame}"

    def number(self, frame: int) -> str:
        """The moment of a frame without its unit, as finely as frames are apart."""
        if not self.unit:
            return str(frame)
        # One more decimal than neighbouring frames need to be told apart: steps are seldom round.
        decimals = max(0, int(np.ceil(-np.log10(self.per_frame))) + 1)
        return f"{self.at(frame):.{decimals}f}"


def time_axis(scale: Scale, frames: int) -> TimeAxis:
    """The axis of a recording: in µs below 1 ms, in ms below 1 s, else in s.

    Args:
        scale: Its frame rate, if that is known.
        frames: Its length.

    Example:
        >>> time_axis(Scale(None, 40_000), 60).limits
        (-0.0125, 1.4875)
        >>> time_axis(Scale(None, 40_000), 20).label, time_axis(Scale(), 20).label
        ('time (µs)', 'frame')
    """
    if scale.frame_rate_hz is None:
        return TimeAxis(frames, "", 1.0)
    duration = frames / scale.frame_rate_hz
    unit, factor = next(one for one in _UNITS if duration * one[1] < 1000 or one[0] == "s")
    return TimeAxis(frames, unit, factor / scale.frame_rate_hz)
