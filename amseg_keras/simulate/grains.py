"""Things in the gas: airborne powder grains, chains of them, spatter, ligaments of melt.

All are labelled background: only the powder layer is powder.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.ranges import draw, draw_log


@dataclass(frozen=True)
class Airborne:
    """Grains in the gas, one row each.

    Attributes:
        place: Column, row `(grains, 2)`.
        radii: Half axes `(grains, 2)` in pixels.
        angle: Direction of the first axis, radians.
        velocity: Pixels per frame `(grains, 2)`.
    """

    place: np.ndarray
    radii: np.ndarray
    angle: np.ndarray
    velocity: np.ndarray

    def later(self, frames: float) -> "Airborne":
        """The grains some frames on, flying straight."""
        return Airborne(self.place + frames * self.velocity, self.radii, self.angle, self.velocity)


def draw_airborne(
    rng: np.random.Generator, count: int, ceiling: np.ndarray, laser_px: float
) -> Airborne:
    """Chains and single grains above the rows `ceiling` of each column, denser near it."""
    place: list[np.ndarray] = []
    radii: list[tuple[float, float]] = []
    velocity: list[np.ndarray] = []
    scale = draw_log(rng, (8, 80))
    spread = draw(rng, (0.05, 1.2)) * ceiling.size
    coarse = draw(rng, (3.5, 7.0))
    while len(place) < count:
        if rng.random() < 0.5:
            column = rng.normal(laser_px, spread)
        else:
            column = rng.uniform(0, ceiling.size)
        column = float(np.clip(column, -5, ceiling.size + 5))
        base = float(ceiling[int(np.clip(column, 0, ceiling.size - 1))])
        above = rng.exponential(scale) if rng.random() < 0.7 else rng.uniform(0, max(base, 1))
        point = np.array([column, base - above])
        drift = np.array([rng.normal(0, 0.6), -rng.exponential(0.5)])
        for _ in range(1 + rng.geometric(0.45) if rng.random() < 0.5 else 1):
            radius = float(np.clip(rng.normal(coarse, 1.2), 1.8, 11))
            long = 1.0 if rng.random() < 0.75 else rng.uniform(1.2, 1.9)
            place.append(point.copy())
            radii.append((radius * long, radius))
            velocity.append(drift)
            turn = rng.uniform(0, 2 * np.pi)
            point = point + 1.6 * radius * np.array([np.cos(turn), np.sin(turn)])
            point[1] = min(point[1], base - 1)
    count = len(place)
    return Airborne(
        np.array(place).reshape(count, 2),
        np.array(radii).reshape(count, 2),
        rng.uniform(0, np.pi, count),
        np.array(velocity).reshape(count, 2),
    )


def add_grains(thickness: np.ndarray, grains: Airborne, um_per_px: float) -> None:
    """Add ellipsoids to a thickness map in place; `um_per_px` includes the alloy's factor."""
    height, width = thickness.shape
    for (column, row), (a, b), angle in zip(grains.place, grains.radii, grains.angle, strict=True):
        half = int(max(a, b)) + 2
        r0, r1 = max(int(row) - half, 0), min(int(row) + half + 1, height)
        c0, c1 = max(int(column) - half, 0), min(int(column) + half + 1, width)
        if r0 >= r1 or c0 >= c1:
            continue
        y = np.arange(r0, r1, dtype=np.float32)[:, None] - np.float32(row)
        x = np.arange(c0, c1, dtype=np.float32)[None] - np.float32(column)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u, v = (x * cos + y * sin) / np.float32(a), (y * cos - x * sin) / np.float32(b)
        chord = np.sqrt(np.maximum(1 - u * u - v * v, 0))
        thickness[r0:r1, c0:c1] += np.float32(2 * b * um_per_px) * chord


def ligament(
    rng: np.random.Generator, shape: tuple[int, int], column: float, foot: float
) -> np.ndarray:
    """A tongue of melt thrown up, smeared by its motion: relative thickness `(height, width)`."""
    canvas = np.zeros(shape, np.float32)
    length, width = draw(rng, (12, 80)), draw(rng, (3, 14))
    lean = draw(rng, (-0.5, 0.5))
    t = np.linspace(0, 1, 12)
    half = width * (0.5 + rng.uniform(0, 0.6) * t) * np.sqrt(np.clip((1.02 - t) / 0.2, 0, 1))
    middle = column + lean * length * t + rng.normal(0, 2) * np.sin(3 * t)
    x = np.concatenate((middle - half, (middle + half)[::-1]))
    y = np.concatenate((foot - length * t, (foot - length * t)[::-1]))
    points = np.round(16 * np.stack((x, y), axis=1)).astype(np.int32)
    cv2.fillPoly(canvas, [points], 1.0, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), draw(rng, (0.8, 2.5)))
