"""Pores of a casting, cut by a slice: round ones, shrinkage, clouds too small to be resolved."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from amseg_keras.simulate.ranges import Range, draw, draw_log
from amseg_keras.simulate.ranges.casting import CastingRanges

_WALL_PX = 256
_SMALLEST_PX = 0.3
_SHAPED_PX = 2.5
"""Radius from which a pore can be seen not to be round."""


class Cut(NamedTuple):
    """The cut of a slice through one pore, in the window of the frame that holds it.

    Attributes:
        window: Rows and columns of the frame.
        inside: Share of each pixel that is pore, float32.
        distance: Distance to the pore's wall, negative inside, float32.
        darkness: Grey level that the pore lacks, as a share of the alloy's.
    """

    window: tuple[slice, slice]
    inside: np.ndarray
    distance: np.ndarray
    darkness: float


@dataclass(frozen=True)
class Ellipsoids:
    """Round pores; every attribute but `darkness` in pixels or radians, one value a pore.

    Attributes:
        centre: Column, row and height in the volume, `(pores, 3)`.
        radius: Mean radius in the slice through the centre.
        stretch: Long axis in the slice over its mean.
        tall: Half height over the mean radius.
        tilt: Direction of the long axis.
        lobe: Height of three lobes on the ellipse of a cut, relative to its radius.
        turn: Angle of the lobes.
        soft: Width of the wall in the slice, pixels: wide where the pore fades out.
        darkness: Grey level that the pore lacks, as a share of the alloy's, 0 to 1.
    """

    centre: np.ndarray
    radius: np.ndarray
    stretch: np.ndarray
    tall: np.ndarray
    tilt: np.ndarray
    lobe: np.ndarray
    turn: np.ndarray
    soft: np.ndarray
    darkness: np.ndarray

    def cuts(self, height: float, shape: tuple[int, ...]) -> list[Cut]:
        """Cut the pores at a height; return the cuts inside the frame."""
        off = (height - self.centre[:, 2]) / (self.radius * self.tall)
        radii = self.radius * np.sqrt(np.maximum(1 - off * off, 0))
        return [
            cut
            for index in np.nonzero(radii > _SMALLEST_PX)[0]
            if (cut := self._cut(int(index), float(radii[index]), shape)).inside.size
        ]

    def _cut(self, index: int, radius: float, shape: tuple[int, ...]) -> Cut:
        column, row, _ = self.centre[index]
        window, x, y = _window((column, row), radius * self.stretch[index] + 3, shape)
        cosine, sine = np.cos(self.tilt[index]), np.sin(self.tilt[index])
        along = (x * cosine + y * sine) / self.stretch[index]
        across = (y * cosine - x * sine) * self.stretch[index]
        distance = np.sqrt(along * along + across * across) - np.float32(radius)
        if radius > _SHAPED_PX:
            lobes = np.cos(3 * np.arctan2(across, along) + self.turn[index])
            distance += np.float32(self.lobe[index] * radius) * lobes
        inside = 0.5 - distance / np.float32(self.soft[index])
        # Thinner than a pixel: less than all of the pixel's height is pore.
        inside = np.minimum(np.maximum(inside, 0), 1) * np.float32(min(1.0, 2 * radius))
        return Cut(window, inside, distance, float(self.darkness[index]))


@dataclass(frozen=True)
class Shrinkage:
    """A winding pore of balls along an axis, with necks and branches.

    Attributes:
        centre: Column, row and height of each ball, float32 `(balls, 3)`.
        radius: Their radii, float32.
        ragged: Unevenness of the walls, pixels.
        offset: Place of the pore's wall texture in the table (row, column).
        darkness: Grey level that the pore lacks, as a share of the alloy's.
    """

    centre: np.ndarray
    radius: np.ndarray
    ragged: float
    offset: tuple[int, int]
    darkness: float

    def cut(self, height: float, shape: tuple[int, ...]) -> Cut | None:
        """Cut the pore at a height; None if nothing of it is inside the frame."""
        off = np.abs(self.centre[:, 2] - np.float32(height))
        near = off < self.radius + self.ragged
        if not near.any():
            return None
        centre, radius, off = self.centre[near], self.radius[near], off[near]
        middle = (centre[:, :2].max(axis=0) + centre[:, :2].min(axis=0)) / 2
        reach = float((np.abs(centre[:, :2] - middle).max(axis=1) + radius).max())
        window, x, y = _window(middle, reach + 2 * self.ragged + 3, shape)
        if x.size * y.size == 0:
            return None
        walls = _walls()
        rows = np.arange(window[0].start, window[0].stop) + self.offset[0]
        columns = np.arange(window[1].start, window[1].stop) + self.offset[1]
        distance = np.full((y.size, x.size), np.inf, np.float32)
        for (column, row), size, away in zip(centre[:, :2] - middle, radius, off, strict=True):
            ball = np.sqrt((x - column) ** 2 + (y - row) ** 2 + away * away) - size
            np.minimum(distance, ball, out=distance)
        rough = walls[np.ix_(rows % _WALL_PX, columns % _WALL_PX)]
        distance += np.float32(self.ragged) * rough
        return Cut(window, np.clip(0.5 - distance, 0, 1), distance, self.darkness)


@lru_cache(maxsize=1)
def _walls() -> np.ndarray:
    """Unevenness of walls that every ragged pore takes its own part of; it wraps around."""
    noise = np.random.default_rng(0).standard_normal((_WALL_PX, _WALL_PX), dtype=np.float32)
    noise = np.tile(noise, (3, 3))
    walls = np.zeros((_WALL_PX, _WALL_PX), np.float32)
    for sigma in (1.2, 3.5):
        smooth = cv2.GaussianBlur(noise, (0, 0), sigma)[_WALL_PX:-_WALL_PX, _WALL_PX:-_WALL_PX]
        walls += smooth / smooth.std()
    return np.asarray(walls / walls.std())


def _window(
    centre: np.ndarray | tuple[float, float], reach: float, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Window about a centre (column, row), and columns and rows in it, relative to the centre."""
    column, row = float(centre[0]), float(centre[1])
    rows = slice(_within(row - reach, shape[0]), _within(row + reach + 1, shape[0]))
    columns = slice(_within(column - reach, shape[1]), _within(column + reach + 1, shape[1]))
    x = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(column)
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(row)
    return (rows, columns), x, y


def _within(edge: float, size: int) -> int:
    return min(max(int(edge), 0), size)


def draw_ellipsoids(
    rng: np.random.Generator,
    centre: np.ndarray,
    diameter: Range,
    darkness: float,
    faint: float,
) -> Ellipsoids:
    """Pores about given centres `(pores, 3)`: more small than large ones, some of them faint."""
    count = len(centre)
    radius = np.exp(rng.uniform(np.log(diameter[0]), np.log(diameter[1]), count)) / 2
    fades = rng.random(count) < faint
    dark = darkness * np.where(fades, rng.uniform(0.0, 0.8, count), rng.uniform(0.93, 1.0, count))
    return Ellipsoids(
        centre=centre,
        radius=radius,
        stretch=1 + np.abs(rng.normal(0, 0.18, count)),
        tall=np.exp(rng.normal(0.1, 0.3, count)),
        tilt=rng.normal(np.pi / 2, 0.7, count),
        lobe=np.abs(rng.normal(0, 0.035, count)),
        turn=rng.uniform(0, 2 * np.pi, count),
        soft=np.where(fades, 1 + radius, 1.0),
        darkness=dark,
    )


def draw_shrinkage(
    rng: np.random.Generator, centre: np.ndarray, darkness: float, ranges: CastingRanges
) -> Shrinkage:
    """Draw a shrinkage pore about a centre (column, row, height)."""
    length = draw_log(rng, ranges.shrinkage_length_px)
    widest = min(draw_log(rng, ranges.shrinkage_width_px), 0.6 * length) / 2
    axis, radius = _limb(rng, length, widest, draw(rng, ranges.neck))
    balls, radii = [axis - axis.mean(axis=0)], [radius]
    for _ in range(rng.integers(0, 3)):
        at = int(rng.integers(len(axis)))
        branch, thin = _limb(
            rng, draw(rng, (0.3, 0.8)) * length, 0.5 * float(radius[at]) + 0.8, 0.3
        )
        balls.append(branch - branch[0] + balls[0][at])
        radii.append(thin)
    return Shrinkage(
        centre=(np.concatenate(balls) + centre).astype(np.float32),
        radius=np.concatenate(radii).astype(np.float32),
        ragged=min(draw_log(rng, ranges.ragged_px), 0.33 * widest),
        offset=(int(rng.integers(_WALL_PX)), int(rng.integers(_WALL_PX))),
        darkness=darkness,
    )


def _limb(
    rng: np.random.Generator, length: float, widest: float, neck: float
) -> tuple[np.ndarray, np.ndarray]:
    """Axis `(balls, 3)` and radii of one limb: it winds, and narrows to necks and to its ends."""
    count = int(np.clip(length / max(0.5 * widest, 1.5), 6, 28))
    turn = np.cumsum(rng.normal(0, 0.35 * (10 / count) ** 0.5, count))
    heading = rng.normal(np.pi / 2, 0.6) + turn
    steps = np.stack((np.cos(heading), np.sin(heading), rng.normal(0, 0.35) + 0 * heading), axis=1)
    at = np.linspace(0, 1, count)
    swell = np.abs(np.sin(np.pi * (draw(rng, (0.8, 2.4)) * at + rng.random())))
    radius = widest * (neck + (1 - neck) * swell) * np.minimum(1, 4 * np.minimum(at, 1 - at) + 0.3)
    return np.cumsum(steps, axis=0) * (length / count), np.maximum(radius, 0.7)


_CLOTS_PX = 768
_CHANGE_PX = 4.0
"""Distance of slices after which a cloud's texture is another one."""


@dataclass(frozen=True)
class Cloud:
    """A grey haze with a texture of its own; pixels.

    Attributes:
        seed: Seed of the texture.
        centre: Column, row and height.
        size: Sigma along each of these.
        darkness: Grey level that the alloy lacks in the middle, as a share.
    """

    seed: int
    centre: np.ndarray
    size: np.ndarray
    darkness: float

    def add(self, haze: np.ndarray, height: float) -> None:
        """Add to what the alloy lacks in the slice at a height, float32 `(height, width)`."""
        strength = self.darkness * float(
            np.exp(-0.5 * ((height - self.centre[2]) / self.size[2]) ** 2)
        )
        # Sharper than a bell: the fourth power is gone 1.8 sigma from the middle.
        low = np.maximum(self.centre[:2] - 1.8 * self.size[:2], 0).astype(int)
        high = np.minimum(self.centre[:2] + 1.8 * self.size[:2], haze.shape[::-1]).astype(int)
        if strength < 0.01 or (high <= low).any():
            return
        x, y = (
            (np.arange(first, last, dtype=np.float32) - middle) / size
            for first, last, middle, size in zip(low, high, self.centre, self.size, strict=False)
        )
        envelope = np.exp(-0.5 * y**4)[:, None] * np.exp(-0.5 * x**4)
        texture = self._texture(height, (y.size, x.size))
        haze[low[1] : high[1], low[0] : high[0]] += (
            np.float32(strength) * envelope.astype(np.float32) * np.maximum(0.85 + texture, 0)
        )

    def _texture(self, height: float, shape: tuple[int, int]) -> np.ndarray:
        """Clots about 0 that change smoothly with the height."""
        step, part = divmod((height - self.centre[2]) / _CHANGE_PX, 1.0)
        before, after = (self._clots(int(step) + next_one, shape) for next_one in (0, 1))
        # Both fractions' squares sum to 1, so that the contrast stays the same in between.
        return np.float32((1 - part) ** 0.5) * before + np.float32(part**0.5) * after

    def _clots(self, step: int, shape: tuple[int, int]) -> np.ndarray:
        # The seeds of the steps below the middle would be negative.
        rng = np.random.default_rng((self.seed, 2 * abs(step) + (step < 0)))
        row = int(rng.integers(_CLOTS_PX - shape[0]))
        column = int(rng.integers(_CLOTS_PX - shape[1]))
        return _clots()[row : row + shape[0], column : column + shape[1]]


@lru_cache(maxsize=1)
def _clots() -> np.ndarray:
    """Texture that every cloud takes its own parts of: standard deviation 0.55, float32."""
    noise = np.random.default_rng(1).standard_normal((_CLOTS_PX, _CLOTS_PX), dtype=np.float32)
    clots = np.zeros_like(noise)
    for sigma, share in ((1.8, 0.45), (7.0, 0.32)):
        smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
        clots += np.float32(share / float(smooth.std())) * smooth
    return clots


def draw_cloud(rng: np.random.Generator, centre: np.ndarray, ranges: CastingRanges) -> Cloud:
    """Draw a cloud about a centre (column, row, height)."""
    half = draw_log(rng, ranges.cloud_px)
    high = max(half / draw(rng, (1.5, 5)), 6.0)
    return Cloud(
        seed=int(rng.integers(2**31)),
        centre=centre,
        size=np.array((half, high, draw(rng, ranges.cloud_height_px))),
        darkness=draw(rng, ranges.cloud_darkness),
    )
