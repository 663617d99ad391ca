"""Shapes of the voids: keyholes and pores, as outlines in pixel coordinates."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from amseg_keras.simulate.ranges import Range, Ranges, draw, draw_log


@dataclass(frozen=True)
class Keyhole:
    """Shape of a vapour depression; lengths in pixels.

    Attributes:
        depth: From the surface to the tip.
        aperture: Width at the surface.
        waist: Width at mid-depth.
        lean: Tangent of the front wall's angle to the vertical.
        tail: Backward reach of the J at the tip.
        bulb: Radius added near the tip.
        bulb_at: Depth of the bulb as a fraction of the depth.
        wave: Amplitude of the wavy rear wall.
        wave_count: Waves on the rear wall.
        phase: Phase of these waves, radians.
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

    def outline(self, laser_px: float, surface_row: float, direction: int) -> np.ndarray:
        """Polygon `(points, 2)` of (column, row), for a laser moving by `direction` (+1 or -1)."""
        t = np.linspace(0, 1, 33)
        half = 0.5 * (self.waist + (self.aperture - self.waist) * (1 - t) ** 2)
        half = half + self.bulb * np.exp(-(((t - self.bulb_at) / 0.16) ** 2))
        # A round tip as deep as it is wide, so that slots do not end in a needle.
        tip = min(1.0, max(half[-6:].mean() / self.depth, 0.08))
        half = half * np.sqrt(np.clip((1 - t) / tip, 0, 1))
        behind = self.lean * self.depth * t + self.tail * t**4
        rear = behind + half
        rear = rear + self.wave * t * np.sin(2 * np.pi * self.wave_count * t + self.phase) * (
            half > 0
        )
        front = behind - half
        rear = np.maximum(rear, front)
        rows = surface_row + self.depth * t
        x = np.concatenate((laser_px - direction * front, (laser_px - direction * rear)[::-1]))
        outline = np.stack((x, np.concatenate((rows, rows[::-1]))), axis=1)
        # Open at the top: the polygon starts above any melt hump, the solid's mask ends it.
        outline = np.concatenate((outline[:1] - (0, 18), outline, outline[-1:] - (0, 18)))
        return outline

    def tip(self, laser_px: float, surface_row: float, direction: int) -> tuple[float, float]:
        """Column and row of the bulb, where pores pinch off."""
        t = self.bulb_at
        behind = self.lean * self.depth * t + self.tail * t**4
        return laser_px - direction * behind, surface_row + self.depth * t

    def breathing(self, depth: float, bulb: float, tail: float, phase: float) -> "Keyhole":
        """This keyhole at another moment of its oscillation; factors on its own values."""
        return replace(
            self,
            depth=self.depth * depth,
            bulb=self.bulb * bulb,
            tail=self.tail * tail,
            phase=self.phase + phase,
        )


def draw_keyhole(rng: np.random.Generator, ranges: Ranges, pixel_um: float) -> Keyhole:
    """A keyhole from a shallow dent to a deep J with a bulb."""
    # Between uniform and log-uniform: shallow dents are easily missed, so many are shown.
    if rng.random() < 0.5:
        depth = draw_log(rng, ranges.keyhole_depth_um) / pixel_um
    else:
        depth = draw(rng, ranges.keyhole_depth_um) / pixel_um
    width = draw_log(rng, ranges.keyhole_width_um) / pixel_um
    width = min(width, 2.5 * depth + 4)
    deep = depth > 14
    return Keyhole(
        depth=depth,
        aperture=width * draw(rng, (0.7, 1.8)),
        waist=width * draw(rng, (0.5, 1.0)),
        lean=np.tan(np.deg2rad(draw(rng, ranges.front_wall_deg))) * (1.0 if deep else 0.5),
        tail=draw(rng, (0, 0.6)) * depth if deep and rng.random() < 0.6 else 0.0,
        bulb=draw(rng, (0, 0.8)) * width if deep and rng.random() < 0.6 else 0.0,
        bulb_at=draw(rng, (0.6, 0.9)),
        wave=draw(rng, (0, 0.25)) * width,
        wave_count=draw(rng, (0.5, 3)),
        phase=draw(rng, (0, 2 * np.pi)),
    )


def pore_outline(
    rng: np.random.Generator, centre: tuple[float, float], diameter: float
) -> np.ndarray:
    """Round, flattened or irregular outline `(points, 2)` about a centre (column, row)."""
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    radius = np.ones_like(angle)
    irregular = rng.choice((0.02, 0.08, 0.2), p=(0.4, 0.35, 0.25)) if diameter > 6 else 0.03
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
    low = np.floor(outline.min(axis=0)).astype(int) - 4
    high = np.ceil(outline.max(axis=0)).astype(int) + 5
    c0, r0 = np.clip(low, 0, (shape[1], shape[0]))
    c1, r1 = np.clip(high, 0, (shape[1], shape[0]))
    mask = np.zeros((max(r1 - r0, 0), max(c1 - c0, 0)), np.uint8)
    if mask.size:
        points = np.round((outline - (c0, r0)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 1, cv2.LINE_8, shift=4)
    return (slice(r0, r1), slice(c0, c1)), mask.astype(bool)


def chord(mask: np.ndarray, wall_px: float) -> np.ndarray:
    """Relative depth of a void along the beam, 0 to 1: rising as a circle's chord over a wall."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rise = np.clip(distance / wall_px, 0, 1)
    return np.sqrt(rise * (2 - rise), dtype=np.float32)


PORE_WALL_PX: Range = (1.2, 7.0)
"""Wall width of voids: a pore cut flat by the plate's faces is steep, a ball is round."""
