"""What no frame of a movie shares with the next: beam flicker, drift and shake of the specimen."""

from dataclasses import dataclass

import cv2
import numpy as np

_REACH = 3
"""Half width of the interpolation kernel in pixels."""

_EARLIEST = 1 << 20
"""Added to frame numbers, as frames before the laser have negative ones."""


@dataclass(frozen=True)
class Unrest:
    """Changes of beam and specimen from frame to frame.

    Attributes:
        seed: Seed of what is random from frame to frame.
        flicker: Standard deviation of the beam's log intensity from frame to frame.
        tilt: The same of its change from the top row to the bottom row.
        wave: Amplitude of a slow change of the beam's log intensity.
        drift_px: Columns to the right and rows down that the specimen goes in a frame.
        sway_px: Amplitude of a slow oscillation to the right and down.
        sway_frames: Period of that oscillation, and of the beam's slow change.
        phase: Phase of both in frame 0, radians.
        shake_px: Standard deviation of the specimen's place from frame to frame.
        middle: Frame in which the drift is 0.
        most_px: Largest drift.

    Example:
        >>> steady = Unrest(1, 0.0, 0.0, 0.0, (0.02, -0.01), (0.0, 0.0), 100.0, 0.0, 0.0, 50, 8.0)
        >>> steady.shift(150), steady.brightness(7)[0]
        ((2.0, -1.0), 1.0)
    """

    seed: int
    flicker: float
    tilt: float
    wave: float
    drift_px: tuple[float, float]
    sway_px: tuple[float, float]
    sway_frames: float
    phase: float
    shake_px: float
    middle: int
    most_px: float

    def shift(self, frame: int) -> tuple[float, float]:
        """Return how far the specimen lies to the right and down, in pixels."""
        random = self._random(frame)[:2]
        wave = np.sin(2 * np.pi * frame / self.sway_frames + self.phase)
        way = (frame - self.middle) * np.array(self.drift_px)
        place = np.clip(way, -self.most_px, self.most_px) + wave * np.array(self.sway_px)
        right, down = place + self.shake_px * random
        return float(right), float(down)

    def brightness(self, frame: int) -> tuple[float, float]:
        """Return the beam's factor at mid-height, and its change from top to bottom."""
        level, tilt = self._random(frame)[2:]
        slow = self.wave * np.sin(2 * np.pi * frame / self.sway_frames + 2 * self.phase)
        return float(np.exp(self.flicker * level + slow)), float(self.tilt * tilt)

    def _random(self, frame: int) -> np.ndarray:
        return np.random.default_rng((self.seed, _EARLIEST + frame)).standard_normal(4)


def shifted(image: np.ndarray, right: float, down: float) -> np.ndarray:
    """Shift a smooth image by fractions of a pixel, float32 `(height, width)`.

    Lanczos interpolation of three lobes; what enters at a border repeats the border.

    Example:
        >>> ramp = np.tile(np.arange(40, dtype=np.float32), (8, 1))
        >>> shifted(ramp, 1.5, 0.0)[4, 20:23].round(3)
        array([18.5, 19.5, 20.5], dtype=float32)
    """
    if abs(right) < 1e-3 and abs(down) < 1e-3:
        return image
    return cv2.sepFilter2D(
        image, cv2.CV_32F, _kernel(right), _kernel(down), borderType=cv2.BORDER_REPLICATE
    )


def shifted_labels(labels: np.ndarray, right: float, down: float) -> np.ndarray:
    """Shift class ids by the nearest whole pixels; what enters repeats the border."""
    columns, rows = round(right), round(down)
    if columns == 0 and rows == 0:
        return labels
    height, width = labels.shape
    at_rows = np.clip(np.arange(height) - rows, 0, height - 1)
    at_columns = np.clip(np.arange(width) - columns, 0, width - 1)
    return labels[np.ix_(at_rows, at_columns)]


def _kernel(shift: float) -> np.ndarray:
    half = _REACH + int(np.ceil(abs(shift)))
    away = np.arange(-half, half + 1) + shift
    weights = np.sinc(away) * np.sinc(away / _REACH) * (np.abs(away) < _REACH)
    return (weights / weights.sum()).astype(np.float32)
