"""Liquid metal about the keyhole, the track that it leaves, and outlines of keyhole and pores."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from amseg_keras.simulate.detector import uneven_field
from amseg_keras.simulate.melt.plate import Plate
from amseg_keras.simulate.process import Laser, chaos, keyhole_depth_um
from amseg_keras.simulate.ranges import draw, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.textures import crop_face, texture_library


@dataclass(frozen=True)
class Pool:
    """The melt pool of a shot and the track that it leaves; lengths in pixels.

    Attributes:
        length: Distance from the laser to the end of the pool.
        front: Distance from the laser to the beginning of the pool.
        depth: Largest depth under the surface.
        shell: Thickness of the liquid around the keyhole.
        edge: Over which the liquid gets as thick as it is: the pool is round along the beam too.
        brightness: Log intensity that the liquid has more than the solid.
        ragged: Factor on its depth at each column of the frame, float32 `(width,)`.
        cooling: Frames in which it freezes when the laser is off.
        fresh: Change of the texture where the metal has frozen again: log intensity,
            float32 `(height, width)`.
        fresh_depth: Depth to which it does.
    """

    length: float
    front: float
    depth: float
    shell: float
    edge: float
    brightness: float
    ragged: np.ndarray
    cooling: float
    fresh: np.ndarray
    fresh_depth: float

    @property
    def contrast(self) -> float:
        """Brightness of the first 6 px inside of the boundary, their mean, log intensity.

        A pool that is round along the beam gets bright slowly, and its boundary is faint.
        """
        rise = np.clip((np.arange(6) + 0.5) / self.edge, 0, 1)
        return self.brightness * float(np.sqrt(rise * (2 - rise)).mean())

    def bottom(
        self, columns: np.ndarray, laser_px: float, direction: int, grown: tuple[float, float]
    ) -> np.ndarray:
        """Depth of the liquid below the surface at each column, 0 where there is none.

        Args:
            columns: Columns `(width,)`.
            laser_px: Column of the laser.
            direction: Direction of the scan, +1 or -1.
            grown: Share of its full length and of its full depth that the pool has.
        """
        behind = direction * (laser_px - columns)
        reach = np.where(behind > 0, max(self.length * grown[0], 1.0), max(self.front, 1.0))
        inside = np.maximum(1 - (behind / reach) ** 2, 0)
        return np.asarray(
            (self.depth * grown[1] * np.sqrt(inside) * self.ragged).astype(np.float32)
        )


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
    gap = draw(rng, (8.0, 40.0)) / view.pixel_um
    return Pool(
        length=length,
        front=0.6 * aperture_px + gap,
        depth=depth,
        shell=0.6 * gap,
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


@dataclass(frozen=True)
class Void:
    """A void in one frame.

    Attributes:
        outline: Column and row of its outline, `(points, 2)`.
        depth_um: Depth along the beam.
        wall_px: Width of its walls.
        moves: True if it differs from the background of its recording.
    """

    outline: np.ndarray
    depth_um: float
    wall_px: float
    moves: bool


_ALONG = np.linspace(0, 1, 41)
"""Places along a keyhole's middle, from the surface to the tip."""


def _differences(values: np.ndarray) -> np.ndarray:
    """Difference from place to place, central within."""
    slope = np.empty_like(values)
    slope[1:-1] = (values[2:] - values[:-2]) / 2
    slope[0], slope[-1] = values[1] - values[0], values[-1] - values[-2]
    return slope


@dataclass(frozen=True)
class Keyhole:
    """Shape of a vapour depression; lengths in pixels.

    Attributes:
        depth: Distance from the surface to the tip.
        aperture: Width at the surface.
        waist: Width at mid-depth.
        lean: Tangent of the front wall's angle to the vertical.
        tail: Backward reach of the J at the tip.
        bulb: Radius added near the tip.
        bulb_at: Depth of the bulb as a fraction of the depth.
        wave: Amplitude of the wavy rear wall.
        wave_count: Waves on the rear wall.
        phase: Phase of these waves, radians.
        taper: Narrowing towards the tip, 0 to 1; 1 is a V.
    """

    depth: float
    aperture: float
    waist: float
    lean: float
    tail: float
    bulb: float
    bulb_at: float
    wave: float
    wave_count: float
    phase: float
    taper: float = 0.0

    def outline(self, laser_px: float, surface_row: float, direction: int) -> np.ndarray:
        """Polygon `(points, 2)` of (column, row), for a laser moving by `direction` (+1 or -1)."""
        t = _ALONG
        behind, down = self._centre(t)
        half = 0.5 * (self.waist + (self.aperture - self.waist) * (1 - t) ** 2)
        half = half + self.bulb * np.exp(-(((t - self.bulb_at) / 0.16) ** 2))
        half = half * (1 - self.taper * t)
        # The tip is round: over its last half width the walls close in on a circle.
        arc = np.zeros_like(t)
        np.hypot(behind[1:] - behind[:-1], down[1:] - down[:-1], out=arc[1:])
        arc = arc.cumsum()
        cap = min(max(half[-8:].mean(), 0.5), arc[-1])
        half = half * np.sqrt(1 - np.minimum(np.maximum((arc - arc[-1] + cap) / cap, 0), 1) ** 2)
        # Walls stand off along the normal, level with the surface at the top.
        slope = np.stack((_differences(behind), _differences(down)))
        slope /= np.hypot(*slope)
        rear_wave = self.wave * t * np.sin(2 * np.pi * self.wave_count * t + self.phase)
        rear_half = np.maximum(half + rear_wave * (half > 0), 0)
        front = np.stack((behind - half * slope[1], down + half * slope[0] * t))
        rear = np.stack((behind + rear_half * slope[1], down - rear_half * slope[0] * t))
        x, y = np.concatenate((front, rear[:, ::-1]), axis=1)
        outline = np.stack((laser_px - direction * x, surface_row + y), axis=1)
        # Open at the top: the polygon starts above any melt hump, the solid's mask ends it.
        return np.concatenate((outline[:1] - (0, 40), outline, outline[-1:] - (0, 40)))

    def _centre(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place the middle line of a keyhole behind the laser and below the surface."""
        behind = self.lean * self.depth * t + self.tail * t**3
        # A long tail runs level at its end.
        return behind, self.depth * (t - 0.25 * min(self.tail / self.depth, 1) * t**4)

    def tip(self, laser_px: float, surface_row: float, direction: int) -> tuple[float, float]:
        """Column and row of the bulb, where pores pinch off."""
        behind, down = self._centre(np.array([self.bulb_at]))
        return laser_px - direction * float(behind[0]), surface_row + float(down[0])

    def breathing(self, depth: float, bulb: float, tail: float, phase: float) -> "Keyhole":
        """This keyhole at another moment of its oscillation; factors on its own values."""
        return replace(
            self,
            depth=self.depth * depth,
            bulb=self.bulb * bulb,
            tail=self.tail * tail,
            phase=self.phase + phase,
        )


def draw_keyhole(
    rng: np.random.Generator, laser: Laser, pixel_um: float, ranges: MeltRanges
) -> Keyhole:
    """Draw the mean shape of a keyhole: from a shallow dent to a deep J with a bulb.

    Its depth follows from the keyhole number, its width from the laser spot, and its front wall
    leans the more the faster the scan is. Under a laser that stands still it is a symmetric V.
    """
    depth = keyhole_depth_um(laser.keyhole_number, laser.spot_radius_um)
    depth *= draw_log(rng, ranges.depth_scatter)
    width = 2 * laser.spot_radius_um * draw(rng, ranges.keyhole_width)
    if rng.random() < ranges.narrow:
        width *= draw(rng, ranges.narrow_width)
    width = min(width, 2.5 * depth + 15, 130.0)
    deep = depth > 1.2 * width
    standing = laser.speed_mm_s == 0
    lean = draw(rng, ranges.front_wall_deg) * min((laser.speed_mm_s / 1800) ** 0.5, 1.2)
    wild = chaos(laser.keyhole_number)
    keyhole = Keyhole(
        depth=depth / pixel_um,
        aperture=width * draw(rng, (0.7, 1.9)) / pixel_um,
        waist=width * draw(rng, (0.6, 1.0)) / pixel_um,
        lean=float(np.tan(np.deg2rad(lean))) * (1.0 if deep else 0.5),
        tail=draw(rng, (0, 0.3 + 0.4 * wild)) * depth / pixel_um if deep else 0.0,
        bulb=draw(rng, (0, 0.3 + 0.4 * wild)) * width / pixel_um if deep else 0.0,
        bulb_at=draw(rng, (0.6, 0.9)),
        wave=draw(rng, (0, 0.25)) * width / pixel_um,
        wave_count=draw(rng, (0.5, 3)),
        phase=draw(rng, (0, 2 * np.pi)),
        taper=draw(rng, (0.5, 1.0)) if standing else draw(rng, (0.0, 0.35)),
    )
    if not standing:
        return keyhole
    return replace(
        keyhole,
        lean=draw(rng, (-0.08, 0.08)),
        tail=0.0,
        bulb=0.3 * keyhole.bulb,
        wave=0.4 * keyhole.wave,
    )


def pore_outline(
    rng: np.random.Generator, centre: tuple[float, float], diameter: float
) -> np.ndarray:
    """Round, flattened or irregular outline `(points, 2)` about a centre (column, row)."""
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    radius = np.ones_like(angle)
    irregular = rng.choice((0.02, 0.06, 0.15), p=(0.5, 0.35, 0.15)) if diameter > 6 else 0.03
    for order in (2, 3, 4, 5):
        radius += irregular * rng.normal() * 2 / order * np.cos(order * angle + rng.uniform(0, 7))
    radius = np.clip(radius, 0.35, 1.8) * diameter / 2
    flat = draw(rng, (0.5, 1.0))
    tilt = rng.normal(0, 0.4)
    x = radius * np.cos(angle) / flat**0.5
    y = radius * np.sin(angle) * flat**0.5
    return np.stack(
        (
            centre[0] + x * np.cos(tilt) - y * np.sin(tilt),
            centre[1] + x * np.sin(tilt) + y * np.cos(tilt),
        ),
        axis=1,
    )


def fill(outline: np.ndarray, shape: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Rasterise a polygon.

    Returns:
        The window of the frame that holds it with a margin of 4 px (possibly empty),
        and the bool mask in that window.
    """
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    c0, c1 = (min(max(int(side), 0), shape[1]) for side in (left - 4, right + 6))
    r0, r1 = (min(max(int(side), 0), shape[0]) for side in (top - 4, bottom + 6))
    mask = np.zeros((max(r1 - r0, 0), max(c1 - c0, 0)), np.uint8)
    if mask.size:
        points = np.round((outline - (c0, r0)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 1, cv2.LINE_8, shift=4)
    return (slice(r0, r1), slice(c0, c1)), mask.astype(bool)


def chord(mask: np.ndarray, wall_px: float) -> np.ndarray:
    """Relative depth of a void along the beam, 0 to 1: rising as a circle's chord over a wall."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rise = np.minimum(distance * np.float32(1 / wall_px), np.float32(1))
    return np.asarray(np.sqrt(rise * (2 - rise), dtype=np.float32))


def path_of(void: Void, mask: np.ndarray) -> np.ndarray:
    """Path through a void along the beam in um, float32 as its mask."""
    return chord(mask, void.wall_px) * np.float32(void.depth_um)
