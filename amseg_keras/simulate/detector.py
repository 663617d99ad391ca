"""From intensity to grey levels: beam, scintillator, photons, camera; flicker, drift and shake."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

_POOL = 1 << 22
"""Numbers in the pool of white noise, 16 MB."""


@dataclass(frozen=True)
class Detector:
    """What one beam and one camera make of every frame of a shot.

    Intensities are fractions of the open beam, whose grey level is `gain`.

    Attributes:
        beam: Open beam at each pixel, float32 `(height, width)`, about 1: its unevenness, its
            clipped part, the dust on the scintillator.
        psf_px: Sigma of the scintillator's and the optics' point spread.
        photon_noise: Noise of the X-ray photons at full beam, before the point spread, which
            makes neighbouring pixels alike.
        read_noise: White noise of the camera, the same at every intensity.
        gain: Grey level of the open beam above the dark level, fraction of full scale.
        dark: Grey level without beam, fraction of full scale; negative where the display
            shows more than no intensity as black.
        bits: 8, 12 or 16.
        stretch: Stretch every frame between its 0.1 and 99.9 percentiles instead of by `gain`
            and `dark`, as beamlines do for viewing.
        flat: Flat field by which frames are divided, float32 `(height, width)`; None for raw
            frames, and where `beam` is what a flat field leaves.
    """

    beam: np.ndarray
    psf_px: float
    photon_noise: float
    read_noise: float
    gain: float
    dark: float
    bits: int
    stretch: bool = False
    flat: np.ndarray | None = None

    @property
    def dtype(self) -> np.dtype:
        """uint8 for 8 bits, uint16 for 12 and 16."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)


def expose(rng: np.random.Generator, intensity: np.ndarray, detector: Detector) -> np.ndarray:
    """Record one frame.

    Args:
        rng: Source of the noise.
        intensity: Transmitted fraction of the beam, float32 `(height, width)`.
        detector: Beam and camera.

    Returns:
        uint8 frame `(height, width)`, or uint16 for 12 and 16 bits.

    Example:
        >>> camera = Detector(np.ones((4, 6), np.float32), 0.7, 0.0, 0.0, 0.75, 0.1, 12)
        >>> int(expose(np.random.default_rng(0), np.ones((4, 6), np.float32), camera)[2, 3])
        3481
    """
    seen = collect(rng, intensity, detector)
    if detector.flat is not None:
        seen /= detector.flat
    if detector.stretch:
        black, white = stretch_limits(seen)
        level = (seen - np.float32(black)) * np.float32(1 / max(white - black, 1e-3))
    else:
        level = seen * np.float32(detector.gain) + np.float32(detector.dark)
    return quantise(level, detector.bits)


def collect(rng: np.random.Generator, intensity: np.ndarray, detector: Detector) -> np.ndarray:
    """Collect the light of one frame: beam, photon noise, point spread, read noise.

    Args:
        rng: Source of the noise.
        intensity: Transmitted fraction of the beam, float32 `(height, width)`.
        detector: Beam and camera.

    Returns:
        Light as a fraction of the open beam, float32 `(height, width)`, without a flat field.
    """
    seen = intensity * detector.beam
    if detector.photon_noise:
        noise = cv2.sqrt(np.maximum(seen, np.float32(0.02)))
        noise *= white_noise(rng, seen.shape)
        noise *= np.float32(detector.photon_noise)
        seen += noise
    if detector.psf_px:
        seen = cv2.GaussianBlur(seen, (0, 0), detector.psf_px)
    if detector.read_noise:
        seen += np.float32(detector.read_noise) * white_noise(rng, seen.shape)
    return np.asarray(seen)


def stretch_limits(seen: np.ndarray) -> tuple[float, float]:
    """Return the 0.1 and 99.9 percentiles of a frame."""
    # Every third row is enough for a percentile and three times as fast.
    black, white = np.percentile(seen[::3], (0.1, 99.9))
    return float(black), float(white)


def quantise(level: np.ndarray, bits: int) -> np.ndarray:
    """Round levels of 0 to 1 to 8 bits (uint8) or to 12 or 16 bits (uint16)."""
    full = 2**bits - 1
    grey = np.clip(level * np.float32(full) + np.float32(0.5), 0, np.float32(full))
    return np.asarray(grey.astype(np.uint8 if bits == 8 else np.uint16))


def white_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw white noise of standard deviation 1, float32 `shape`; read only.

    Drawing millions of normal numbers takes longer than all the optics. So frames read a pool of
    them from a random place: neighbours within a frame are independent, and two frames share
    numbers at most at different pixels.
    """
    count = int(np.prod(shape))
    if count > _POOL // 2:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(_POOL - count))
    return _noise_pool()[start : start + count].reshape(shape)


@lru_cache(maxsize=1)
def _noise_pool() -> np.ndarray:
    pool: np.ndarray = np.random.default_rng(20240326).standard_normal(_POOL, dtype=np.float32)
    pool.setflags(write=False)
    return pool


def uneven_field(
    rng: np.random.Generator, shape: tuple[int, int], strength: float, knots: tuple[int, int]
) -> np.ndarray:
    """Slow variation about 0, float32 `shape`: smooth through a grid of random knots."""
    coarse = rng.standard_normal(knots).astype(np.float32)
    return np.float32(strength) * cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def row_stripes(rng: np.random.Generator, shape: tuple[int, int], strength: float) -> np.ndarray:
    """Ripples of a monochromator or a drifting beam: the same along a row, float32 `(height, 1)`"""
    rows = rng.standard_normal((shape[0], 1)).astype(np.float32)
    return np.float32(strength) * cv2.GaussianBlur(rows, (1, 0), 0, sigmaY=1.2)


def dust(rng: np.random.Generator, shape: tuple[int, int], count: int) -> np.ndarray:
    """Dust on the scintillator: specks, rings, and light-dark pairs of what has drifted since."""
    spots: np.ndarray = np.zeros(shape, np.float32)
    for _ in range(count):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        strength = float(rng.normal(0, 0.05))
        radius = int(rng.integers(0, 8))
        cv2.circle(spots, centre, radius, strength, 1 if radius > 1 else -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            beside = (centre[0] + int(rng.integers(-3, 4)), centre[1] + int(rng.integers(-3, 4)))
            cv2.circle(spots, beside, radius, -strength, 1 if radius > 1 else -1, cv2.LINE_AA)
    return cv2.GaussianBlur(spots, (0, 0), 0.7)


def clipped_beam(
    rng: np.random.Generator, height: int, edge_row: np.ndarray, through: float
) -> np.ndarray:
    """Beam that is cut off above the plate, so that the gas is darker than the plate.

    Far above the edge of the beam a haze is left. Near the edge is a band of light that passes
    beside the plate's holder, with the ripples of a diffracting edge.

    Args:
        rng: Source of randomness.
        height: Rows of the frame.
        edge_row: Row above which the beam is cut off, at each column, `(width,)`.
        through: Transmission of the plate, which scales what is left.

    Returns:
        Factor on the beam, float32 `(height, width)`, 1 below the edge.
    """
    above = edge_row - np.arange(height, dtype=np.float32)[:, None]
    haze = rng.uniform(0.03, 0.35) * np.exp(-np.maximum(above, 0) / rng.uniform(30, 200))
    band_at, band_width = rng.uniform(6, 30), rng.uniform(2, 7)
    band = rng.uniform(0.0, 0.6) * np.exp(-(((above - band_at) / band_width) ** 2))
    ripple = 1 + 0.25 * np.sin(above / rng.uniform(1.5, 4)) * np.exp(-np.maximum(above, 0) / 15)
    left = np.float32(through) * (rng.uniform(0.02, 0.2) + haze + band) * ripple
    edge = rng.uniform(0.1, 1.2)
    opened = 1 / (1 + np.exp(np.clip((above + edge) / rng.uniform(0.25, 0.8), -30, 30)))
    return np.asarray((left * (1 - opened) + opened).astype(np.float32))


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
        tilt: Relative change from the top row to the bottom row.
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
    return np.asarray((weights / weights.sum()).astype(np.float32))
