"""High-pressure die casting: neighbouring slices of a volume with pores, and their tomography."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.casting.pores import (
    Cloud,
    Cut,
    Ellipsoids,
    Shrinkage,
    draw_cloud,
    draw_ellipsoids,
    draw_shrinkage,
)
from amseg_keras.simulate.detector import Detector, uneven_field
from amseg_keras.simulate.ranges import Range, draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.casting import CastingRanges
from amseg_keras.simulate.shot import WithoutMotion


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
        """Compute what the loss adds to a slice with this darkness of pores, float32."""
        rows, columns = self.strength.shape
        small = cv2.resize(pores, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        # Around the edges it wraps: flanks of pores outside the view come in, as in real slices.
        lost = np.fft.irfft2(np.fft.rfft2(small) * self.lost, small.shape).astype(np.float32)
        wide = cv2.resize(lost, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray((wide * self.strength).astype(np.float32))


@dataclass(frozen=True)
class Reconstruction:
    """Artefacts that the reconstruction adds to the alloy.

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
    """Draw the views that a casting's slices lack."""
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


PORE = CLASS_NAMES.index("pore")

VISIBLE = 0.15
"""Share of the alloy's level that a pore must lack, after the blur, to be seen for sure."""

DENSE = 0.22
"""Share of its level that the alloy of a cloud must lack to look like pores of its own."""

_RANGES_AREA = 256 * 512
"""Pixels of the slice that the ranges count pores in."""


@dataclass(frozen=True)
class CastingShot(WithoutMotion):
    """The slices of one volume; see `Shot`."""

    parameters: dict[str, Any]
    frames: int
    detector: Detector
    slice_px: float
    round: tuple[Ellipsoids, ...]
    shrinkage: tuple[Shrinkage, ...]
    clouds: tuple[Cloud, ...]
    wedge: Wedge
    reconstruction: Reconstruction

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Level relative to sound alloy, float32, and class ids, uint8, both `(height, width)`.

        Past the last slice the last one is shown.
        """
        frame = min(frame, self.frames - 1)
        shape = self.wedge.strength.shape
        height = frame * self.slice_px
        pores = np.zeros(shape, np.float32)
        labels = np.zeros(shape, np.uint8)
        cuts = [cut for group in self.round for cut in group.cuts(height, shape)]
        cuts += [cut for pore in self.shrinkage if (cut := pore.cut(height, shape)) is not None]
        for cut in cuts:
            dark = cut.inside * np.float32(cut.darkness)
            np.maximum(pores[cut.window], dark, out=pores[cut.window])
        seen = cv2.GaussianBlur(pores, (0, 0), self.detector.psf_px)
        for cut in cuts:
            _label(labels, seen, cut, self.detector.psf_px)
        haze = np.zeros(shape, np.float32)
        for cloud in self.clouds:
            cloud.add(haze, height)
        labels[(haze > DENSE) & (labels == 0)] = IGNORE
        flanks = self.wedge.flanks(np.maximum(pores, haze))
        alloy = self.reconstruction.level(frame) - haze + self.reconstruction.noise(frame)
        # Pores stay black beside each other's flanks.
        return np.maximum(alloy * (1 - pores) + flanks * (1 - 0.8 * pores), 0), labels


def _label(labels: np.ndarray, seen: np.ndarray, cut: Cut, psf_px: float) -> None:
    """Label what a cut shows: pore where it is dark enough after the blur, else ignore."""
    # A spot smaller than the blur looks as wide as the blur.
    radius = max(-float(cut.distance.min()), 0.0)
    own = cut.distance < math.hypot(radius, psf_px) - radius
    there = labels[cut.window]
    visible = own & (seen[cut.window] > VISIBLE)
    there[own & ~visible & (there == 0)] = IGNORE
    there[visible] = PORE


def draw_casting(
    rng: np.random.Generator,
    shape: tuple[int, int],
    material: str,
    slices: int,
    ranges: CastingRanges,
) -> CastingShot:
    """Draw the slices of one casting.

    Args:
        rng: Source of randomness.
        shape: Height and width of the slices.
        material: Name of the alloy, for the parameters: a reconstruction shows levels
            relative to the alloy's, whichever it is.
        slices: Smallest number of slices.
        ranges: What everything is drawn from.
    """
    frames = max(draw_integer(rng, ranges.slices), slices)
    slice_px = draw_log(rng, ranges.slice_px)
    size = np.array((shape[1], shape[0], frames * slice_px))
    darkness, faint = draw(rng, ranges.darkness), draw(rng, ranges.faint)
    clouds = _draw_clouds(rng, size, ranges)
    round_pores = [
        _draw_round(rng, size, draw(rng, ranges.tiny), ranges.tiny_diameter_px, darkness, faint),
        _draw_round(rng, size, draw(rng, ranges.round), ranges.round_diameter_px, darkness, 0.06),
    ]
    for cloud in clouds:
        count = rng.poisson(draw(rng, ranges.cloud_pores) * cloud.size[2] / 4)
        centre = cloud.centre + rng.normal(0, 0.8, (count, 3)) * cloud.size
        # In a cloud the pores go all the way from clear ones to none.
        round_pores.append(draw_ellipsoids(rng, centre, ranges.tiny_diameter_px, darkness, 0.7))
    shrinkage = _draw_shrinkages(rng, size, darkness, ranges)
    counts = [len(group.radius) for group in round_pores]
    return CastingShot(
        parameters={
            "process": "casting",
            "material": material,
            "slice_px": slice_px,
            "pores": sum(counts) + len(shrinkage),
            "tiny_pores": counts[0],
            "round_pores": counts[1],
            "shrinkage_pores": len(shrinkage),
            "clouds": len(clouds),
            "darkness": darkness,
        },
        frames=frames,
        detector=_draw_detector(rng, shape, ranges),
        slice_px=slice_px,
        round=tuple(round_pores),
        shrinkage=shrinkage,
        clouds=clouds,
        wedge=draw_wedge(rng, shape, ranges),
        reconstruction=draw_reconstruction(rng, shape, frames, ranges),
    )


def _in_volume(rng: np.random.Generator, size: np.ndarray, a_slice: float, tall: float) -> int:
    """Pores of a volume of which so many are to be seen in a slice; `tall` is their height."""
    area = size[0] * size[1] / _RANGES_AREA
    return int(rng.poisson(a_slice * area * (size[2] + tall) / tall))


def _anywhere(rng: np.random.Generator, size: np.ndarray, count: int, tall: float) -> np.ndarray:
    """Centres `(count, 3)`, also of pores that reach into the volume from above and below."""
    centre = rng.uniform(0, 1, (count, 3)) * size
    centre[:, 2] = rng.uniform(-tall / 2, size[2] + tall / 2, count)
    return np.asarray(centre)


def _draw_round(
    rng: np.random.Generator,
    size: np.ndarray,
    a_slice: float,
    diameter: Range,
    darkness: float,
    faint: float,
) -> Ellipsoids:
    tall = (diameter[1] - diameter[0]) / np.log(diameter[1] / diameter[0])
    centre = _anywhere(rng, size, _in_volume(rng, size, a_slice, tall), tall)
    # A part of them lies in the band where the alloy solidified last.
    banded = rng.random(len(centre)) < draw(rng, (0.0, 0.6))
    band = rng.normal(draw(rng, (0.2, 0.9)), 0.15, len(centre)) * size[1]
    centre[:, 1] = np.where(banded, band, centre[:, 1])
    return draw_ellipsoids(rng, centre, diameter, darkness, faint)


def _draw_shrinkages(
    rng: np.random.Generator, size: np.ndarray, darkness: float, ranges: CastingRanges
) -> tuple[Shrinkage, ...]:
    # Measured: a winding pore is taller, but narrow at its ends.
    tall = 28.0
    count = _in_volume(rng, size, draw(rng, ranges.shrinkage), tall)
    centres = _anywhere(rng, size, count, tall)
    return tuple(draw_shrinkage(rng, centre, darkness, ranges) for centre in centres)


def _draw_clouds(
    rng: np.random.Generator, size: np.ndarray, ranges: CastingRanges
) -> tuple[Cloud, ...]:
    tall = 40.0
    count = _in_volume(rng, size, draw(rng, ranges.clouds), tall)
    return tuple(draw_cloud(rng, centre, ranges) for centre in _anywhere(rng, size, count, tall))


def _draw_detector(
    rng: np.random.Generator, shape: tuple[int, int], ranges: CastingRanges
) -> Detector:
    return Detector(
        beam=np.ones(shape, np.float32),
        psf_px=draw(rng, ranges.psf_px),
        photon_noise=draw(rng, ranges.photon_noise),
        read_noise=draw(rng, ranges.read_noise),
        gain=draw(rng, ranges.gain),
        dark=draw(rng, ranges.dark),
        bits=8,
    )
