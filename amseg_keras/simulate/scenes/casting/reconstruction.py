"""What tomography makes of a slice: shading, noise, flanks of missing views."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.physics.detector import uneven_field
from amseg_keras.simulate.ranges.base import draw
from amseg_keras.simulate.ranges.casting import CastingRanges


@dataclass(frozen=True)
class Wedge:
    """Views that are missing or spoiled: bright flanks and dark streaks beside pores.

    Attributes:
        lost: Share of each spatial frequency, at half resolution, that is in those views,
            float32 `(height / 2, width / 4 + 1)`.
        strength: Share that is lost at each pixel, float32 `(height, width)`.
    """

    lost: np.ndarray
    strength: np.ndarray

    def flanks(self, pores: np.ndarray) -> np.ndarray:
        """What the loss adds to a slice with this darkness of pores, float32."""
        rows, columns = self.strength.shape
        small = cv2.resize(pores, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        # Around the edges it wraps: flanks of pores outside the view come in, as in real slices.
        lost = np.fft.irfft2(np.fft.rfft2(small) * self.lost, small.shape).astype(np.float32)
        wide = cv2.resize(lost, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return (wide * self.strength).astype(np.float32)


@dataclass(frozen=True)
class Reconstruction:
    """What the reconstruction adds to the alloy.

    Attributes:
        seed: With the slice's number, the seed of its noise.
        shading: Slow unevenness, float32 `(height, width)`.
        side: Darkening towards a side, float32 `(height, width)`, 0 to its strongest.
        side_slice: Slice in which that is strongest.
        side_slices: Sigma of it in slices.
        grain: Standard deviation of the fine texture.
        grain_px: Sigma of its finer part.
        coarse: Share of its coarser part.
    """

    seed: int
    shading: np.ndarray
    side: np.ndarray
    side_slice: float
    side_slices: float
    grain: float
    grain_px: float
    coarse: float

    def level(self, frame: int) -> np.ndarray:
        """Level of sound alloy in a slice, about 1."""
        strength = np.exp(-0.5 * ((frame - self.side_slice) / self.side_slices) ** 2)
        return (1 + self.shading) * (1 - np.float32(strength) * self.side)

    def noise(self, frame: int) -> np.ndarray:
        """Fine and coarser noise of a slice, of standard deviation `grain`."""
        rng = np.random.default_rng((self.seed, frame))
        rows, columns = self.shading.shape
        fine: np.ndarray = rng.standard_normal((rows, columns), dtype=np.float32)
        # Slices are a little smoother along the detector's rows than across them.
        fine = cv2.GaussianBlur(fine, (0, 0), 1.25 * self.grain_px, sigmaY=self.grain_px)
        coarse: np.ndarray = rng.standard_normal((rows // 2, columns // 2), dtype=np.float32)
        coarse = cv2.GaussianBlur(coarse, (0, 0), 1.8 * self.grain_px, sigmaY=1.4 * self.grain_px)
        coarse = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
        fine_share = np.float32(self.grain * (1 - self.coarse) ** 0.5 / float(fine.std()))
        coarse_share = np.float32(self.grain * self.coarse**0.5 / float(coarse.std()))
        return fine_share * fine + coarse_share * coarse


def draw_wedge(rng: np.random.Generator, shape: tuple[int, int], ranges: CastingRanges) -> Wedge:
    """Which views a casting's slices lack."""
    rows = np.fft.fftfreq(shape[0] // 2)[:, None]
    columns = np.fft.rfftfreq(shape[1] // 2)
    half = np.deg2rad(draw(rng, ranges.wedge_deg))
    # Flanks along a direction are lost frequencies across it.
    tilt = np.deg2rad(draw(rng, ranges.wedge_tilt_deg))
    angle = np.arctan2(
        columns * np.cos(tilt) + rows * np.sin(tilt), rows * np.cos(tilt) - columns * np.sin(tilt)
    )
    angle = np.abs((angle + np.pi / 2) % np.pi - np.pi / 2)
    lost = 1 / (1 + np.exp(np.clip((angle - half) / (0.12 * half), -30, 30)))
    # Flanks end some tens of pixels beside a pore: slow variation is in the other views too.
    length = draw(rng, ranges.wedge_length_px)
    lost *= 1 - np.exp(-((length * np.hypot(rows, columns)) ** 2))
    # It is worse in a part of the slice, where the views cross more metal.
    where = uneven_field(rng, shape, 1.0, (3, 3))
    strength = draw(rng, ranges.wedge_strength) / (1 + np.exp(-3 * where))
    return Wedge(lost.astype(np.float32), strength.astype(np.float32))


def draw_reconstruction(
    rng: np.random.Generator, shape: tuple[int, int], frames: int, ranges: CastingRanges
) -> Reconstruction:
    """Shading and noise of a casting's slices."""
    angle = draw(rng, (0, 2 * np.pi))
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)
    towards = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    begins = draw(rng, (-0.6, 0.7))
    rise = np.clip((towards - begins) / draw(rng, (0.4, 1.2)), 0, 1)
    return Reconstruction(
        seed=int(rng.integers(2**31)),
        shading=uneven_field(rng, shape, draw(rng, ranges.shading), (3, 5)),
        side=np.float32(draw(rng, ranges.side_shading)) * rise * rise * (3 - 2 * rise),
        side_slice=draw(rng, (0, frames)),
        side_slices=draw(rng, (0.05, 0.5)) * frames,
        grain=draw(rng, ranges.grain),
        grain_px=draw(rng, ranges.grain_px),
        coarse=draw(rng, ranges.coarse),
    )
