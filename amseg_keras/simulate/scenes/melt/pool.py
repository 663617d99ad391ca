"""Liquid metal about the keyhole, and the track that it leaves."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.physics.detector import uneven_field
from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.plate import Plate
from amseg_keras.simulate.textures.library import crop_face, texture_library


@dataclass(frozen=True)
class Pool:
    """The melt pool of a shot and the track that it leaves; lengths in pixels.

    Attributes:
        length: From the laser to its end.
        front: From the laser to where it begins.
        depth: Of its deepest place under the surface.
        edge: Over which the liquid gets as thick as it is: the pool is round along the beam too.
        brightness: Log intensity that the liquid has more than the solid.
        ragged: Factor on its depth at each column of the frame, float32 `(width,)`.
        cooling: Frames in which it freezes when the laser is off.
        fresh: What the texture changes by where the metal has frozen again: log intensity,
            float32 `(height, width)`.
        fresh_depth: Depth to which it does.
    """

    length: float
    front: float
    depth: float
    edge: float
    brightness: float
    ragged: np.ndarray
    cooling: float
    fresh: np.ndarray
    fresh_depth: float

    def bottom(
        self, columns: np.ndarray, laser_px: float, direction: int, grown: tuple[float, float]
    ) -> np.ndarray:
        """Depth of the liquid below the surface at each column, 0 where there is none.

        Args:
            columns: Columns `(width,)`.
            laser_px: Column of the laser.
            direction: Of the scan, +1 or -1.
            grown: Share of its full length and of its full depth that the pool has.
        """
        behind = direction * (laser_px - columns)
        reach = np.where(behind > 0, max(self.length * grown[0], 1.0), max(self.front, 1.0))
        inside = np.maximum(1 - (behind / reach) ** 2, 0)
        return (self.depth * grown[1] * np.sqrt(inside) * self.ragged).astype(np.float32)


def draw_pool(
    rng: np.random.Generator,
    plate: Plate,
    faces_log: np.ndarray,
    keyhole_px: tuple[float, float],
    ranges: MeltRanges,
) -> Pool:
    """Draw the melt pool of a shot.

    Args:
        rng: Source of all randomness.
        plate: What melts.
        faces_log: Texture over the plate, log intensity.
        keyhole_px: Mean depth and aperture of the keyhole in pixels.
        ranges: What else is drawn from.
    """
    view = plate.view
    depth_px, aperture_px = keyhole_px
    lacking = draw(rng, ranges.liquid_lacking) * draw(rng, ranges.liquid_width)
    shallowest = draw(rng, ranges.melt_depth_um) / view.pixel_um
    depth = max(draw(rng, ranges.liquid_depth) * depth_px, shallowest)
    length = draw(rng, ranges.melt_length_um) / view.pixel_um
    ragged = 1 + uneven_field(rng, (1, view.shape[1]), draw(rng, (0.0, 0.12)), (1, 14))[0]
    strength, kept = draw(rng, ranges.fresh_texture), 1 - draw(rng, ranges.fresh_fading)
    return Pool(
        length=length,
        front=0.6 * aperture_px + draw(rng, (8.0, 40.0)) / view.pixel_um,
        depth=depth,
        edge=min(draw_log(rng, ranges.liquid_edge_px), 0.7 * depth + 1),
        brightness=lacking * float(-np.log(plate.beam.through)),
        ragged=np.clip(ragged, 0.6, 1.4).astype(np.float32),
        cooling=draw(rng, (1e-4, 1.5e-3)) * view.frame_rate_hz,
        fresh=np.float32(strength) * _fresh(rng, plate) - np.float32(1 - kept) * faces_log,
        fresh_depth=depth * draw(rng, (0.8, 1.1)),
    )


def _fresh(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """Texture of a frozen track: smoother than a ground plate, with ripples across."""
    view = plate.view
    maps = texture_library(view.pixel_um).faces
    kind = str(rng.choice(("grain", "flakes")))
    face = crop_face(rng, maps[kind][int(rng.integers(len(maps[kind])))], view.shape)
    noise = rng.standard_normal((1, view.shape[1])).astype(np.float32)
    ripples = cv2.GaussianBlur(noise, (0, 1), draw(rng, (8.0, 30.0)) / view.pixel_um, sigmaY=0.1)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(face), (0, 0), draw(rng, (0.6, 2.0)))
    whole = smooth / max(float(smooth.std()), 1e-6)
    whole = whole + np.float32(draw(rng, (0.0, 0.7)) / max(float(ripples.std()), 1e-6)) * ripples
    return np.asarray(whole / max(float(whole.std()), 1e-6), np.float32)
