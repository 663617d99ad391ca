"""Things in the gas: grains that hang there, what the laser throws out, ligaments of melt.

All are labelled background: only the powder layer is powder.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.ranges import draw, draw_log

_SEEN_FRAMES = 150
"""Frames after which whatever was thrown out has left the view."""


@dataclass(frozen=True)
class Airborne:
    """Grains in the gas, one row each.

    Attributes:
        born: Frame in which each appears `(grains,)`; minus infinity where it hangs there.
        place: Column and row in that frame, or in frame 0, `(grains, 2)`.
        radii: Half axes `(grains, 2)` in pixels.
        angle: Direction of the first axis, radians.
        velocity: Pixels per frame `(grains, 2)`.
    """

    born: np.ndarray
    place: np.ndarray
    radii: np.ndarray
    angle: np.ndarray
    velocity: np.ndarray

    def at(self, frame: int) -> "Airborne":
        """Return the grains in a frame, which fly straight."""
        there = (self.born <= frame) & (frame - self.born < _SEEN_FRAMES) | np.isinf(self.born)
        age = np.where(np.isinf(self.born), frame, frame - self.born)[there, None]
        return Airborne(
            self.born[there],
            self.place[there] + age * self.velocity[there],
            self.radii[there],
            self.angle[there],
            self.velocity[there],
        )


def draw_swarm(
    rng: np.random.Generator, count: int, ceiling: np.ndarray, laser_px: float, pixel_um: float
) -> Airborne:
    """Chains and single grains above the rows `ceiling` of each column, denser near it."""
    place: list[np.ndarray] = []
    radii: list[tuple[float, float]] = []
    velocity: list[np.ndarray] = []
    finer = 4.31 / pixel_um
    scale = draw_log(rng, (8, 80)) * finer
    spread = draw(rng, (0.05, 1.2)) * ceiling.size
    coarse, uneven = draw(rng, (3.3, 6.5)), draw(rng, (0.4, 1.4))
    while len(place) < count:
        if rng.random() < 0.5:
            column = rng.normal(laser_px, spread)
        else:
            column = rng.uniform(0, ceiling.size)
        column = float(np.clip(column, -5, ceiling.size + 5))
        base = float(ceiling[int(np.clip(column, 0, ceiling.size - 1))])
        above = rng.exponential(scale) if rng.random() < 0.7 else rng.uniform(0, max(base, 1))
        point = np.array([column, base - above])
        drift = np.array([rng.normal(0, 0.25), -rng.exponential(0.15)]) * finer
        for _ in range(1 + rng.geometric(0.45) if rng.random() < 0.5 else 1):
            radius = float(np.clip(rng.normal(coarse, uneven), 1.8, 11)) * finer
            long = 1.0 if rng.random() < 0.75 else rng.uniform(1.2, 1.9)
            place.append(point.copy())
            radii.append((radius * long, radius))
            velocity.append(drift)
            turn = rng.uniform(0, 2 * np.pi)
            point = point + 1.6 * radius * np.array([np.cos(turn), np.sin(turn)])
            point[1] = min(point[1], base - 1)
    count = len(place)
    return Airborne(
        np.full(count, -np.inf),
        np.array(place).reshape(count, 2),
        np.array(radii).reshape(count, 2),
        rng.uniform(0, np.pi, count),
        np.array(velocity).reshape(count, 2),
    )


def draw_spatter(
    rng: np.random.Generator, per_frame: float, track: np.ndarray, direction: int, pixel_um: float
) -> Airborne:
    """Drops thrown out of the melt, most of them backwards.

    Args:
        rng: Source of randomness.
        per_frame: How many in a frame.
        track: Column and row of the laser in each frame, `(frames, 2)`.
        direction: Direction of the scan, +1 or -1.
        pixel_um: Size of a pixel.
    """
    born = np.flatnonzero(rng.random(len(track)) < per_frame)
    count = len(born)
    finer = 4.31 / pixel_um
    steep = np.deg2rad(rng.normal(55, 25, count))
    fast = np.exp(rng.normal(np.log(2.5), 0.6, count)) * finer
    velocity = fast[:, None] * np.stack((-direction * np.cos(steep), -np.abs(np.sin(steep))), 1)
    radius = np.clip(rng.normal(3.2, 1.4, count), 1.2, 9) * finer
    longer = np.where(rng.random(count) < 0.7, 1.0, rng.uniform(1.2, 2.0, count))
    return Airborne(
        born.astype(float),
        track[born],
        np.stack((radius * longer, radius), 1),
        steep,
        velocity,
    )


def add_grains(thickness: np.ndarray, grains: Airborne, um_per_px: float) -> None:
    """Add ellipsoids to a thickness map in place; `um_per_px` includes the alloy's factor."""
    height, width = thickness.shape
    halves = grains.radii.max(axis=1, initial=0).astype(int) + 2
    away = (grains.place + halves[:, None] >= 0) & (
        grains.place - halves[:, None] < (width, height)
    )
    for at in np.flatnonzero(away.all(axis=1)):
        (column, row), (a, b) = grains.place[at].tolist(), grains.radii[at].tolist()
        angle, half = float(grains.angle[at]), int(halves[at])
        r0, r1 = max(int(row) - half, 0), min(int(row) + half + 1, height)
        c0, c1 = max(int(column) - half, 0), min(int(column) + half + 1, width)
        if r0 >= r1 or c0 >= c1:
            continue
        y = np.arange(r0, r1, dtype=np.float32)[:, None] - np.float32(row)
        x = np.arange(c0, c1, dtype=np.float32)[None] - np.float32(column)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        # Sums of a row and a column: the fields themselves are made once.
        u = x * (cos / np.float32(a)) + y * (sin / np.float32(a))
        v = y * (cos / np.float32(b)) - x * (sin / np.float32(b))
        chord = np.sqrt(np.maximum(1 - u * u - v * v, 0))
        chord *= np.float32(2 * b * um_per_px)
        thickness[r0:r1, c0:c1] += chord


@dataclass(frozen=True)
class Ligament:
    """A tongue of melt thrown up, smeared by its motion.

    Attributes:
        born: Frame in which it begins.
        life: Frames in which it is seen.
        column: Column of its foot.
        length, width: Size of the grown tongue, pixels.
        lean: Columns to the side for a row up.
        blur: Smear in pixels.
    """

    born: int
    life: int
    column: float
    length: float
    width: float
    lean: float
    blur: float

    def thickness(self, frame: int, shape: tuple[int, int], foot: float) -> np.ndarray | None:
        """Relative thickness `(height, width)` in a frame, None where it is not there."""
        age = frame - self.born
        if not 0 <= age < self.life:
            return None
        length = self.length * min((age + 1) / (0.5 * self.life), 1.0)
        t = np.linspace(0, 1, 12)
        half = self.width * (0.55 + 0.35 * t) * np.sqrt(np.clip((1.02 - t) / 0.2, 0, 1))
        middle = self.column + self.lean * length * t
        x = np.concatenate((middle - half, (middle + half)[::-1]))
        y = np.concatenate((foot - length * t, (foot - length * t)[::-1]))
        canvas: np.ndarray = np.zeros(shape, np.float32)
        points = np.round(16 * np.stack((x, y), axis=1)).astype(np.int32)
        cv2.fillPoly(canvas, [points], 1.0, cv2.LINE_AA, shift=4)
        return cv2.GaussianBlur(canvas, (0, 0), self.blur)


def draw_ligaments(
    rng: np.random.Generator, columns: np.ndarray, frame_rate_hz: float, pixel_um: float
) -> tuple[Ligament, ...]:
    """Tongues of melt at the laser's columns `(frames,)`; most shots have none."""
    if rng.random() < 0.7:
        return ()
    finer = 4.31 / pixel_um
    frames = rng.integers(len(columns), size=int(rng.integers(1, 4)))
    return tuple(
        Ligament(
            born=int(frame),
            life=int(np.ceil(rng.uniform(2e-4, 1.5e-3) * frame_rate_hz)),
            column=float(columns[frame]),
            length=draw(rng, (12, 80)) * finer,
            width=draw(rng, (3, 12)) * finer,
            lean=draw(rng, (-0.5, 0.5)),
            blur=draw(rng, (1.0, 3.0)) * finer,
        )
        for frame in frames
    )


@dataclass(frozen=True)
class Plume:
    """Vapour, spray and melt above a keyhole, darker than the gas; lengths in pixels.

    Attributes:
        darkness: Log intensity that is lost where it is densest.
        foot: Half width at the keyhole.
        opening: Half width that it gains in a row up.
        height: Over which it fades.
        lean: Columns to the side for a row up.
    """

    darkness: float
    foot: float
    opening: float
    height: float
    lean: float

    def darken(self, log: np.ndarray, ceiling: np.ndarray, laser_px: float) -> None:
        """Take the light from a log intensity `(height, width)` in place.

        Args:
            log: Log intensity.
            ceiling: Row of what the gas ends at, at each column.
            laser_px: Column of the laser.
        """
        height, width = log.shape
        base = float(ceiling[int(np.clip(laser_px, 0, width - 1))]) + 2
        top = max(int(base - 3 * self.height), 0)
        bottom = int(np.clip(np.ceil(base), top, height))
        reach = self.foot + (self.opening + abs(self.lean)) * (base - top)
        left = int(np.clip(laser_px - 3 * reach, 0, width))
        right = int(np.clip(laser_px + 3 * reach, left, width))
        up = (base - np.arange(top, bottom, dtype=np.float32))[:, None]
        aside = np.arange(left, right, dtype=np.float32) - np.float32(laser_px)
        half = np.float32(self.foot) + np.float32(self.opening) * up
        away = (aside - np.float32(self.lean) * up) / half
        faded = np.exp(-up / np.float32(self.height)) * np.float32(self.foot) / half
        log[top:bottom, left:right] -= np.float32(self.darkness) * faded * np.exp(-away * away)


def draw_plume(
    rng: np.random.Generator, darkness: float, aperture_px: float, pixel_um: float
) -> Plume | None:
    """Draw what hangs above the keyhole; None where the darkness is not above 0."""
    if darkness <= 0:
        return None
    return Plume(
        darkness=darkness,
        foot=max(aperture_px * draw(rng, (0.3, 1.2)), 2.0),
        opening=draw(rng, (0.0, 0.6)),
        height=draw_log(rng, (40.0, 400.0)) / pixel_um,
        lean=draw(rng, (-0.7, 0.7)),
    )
