"""Microporosity of a casting: clouds of pores that are too small to be resolved."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.casting import CastingRanges

_CLOTS_PX = 768
_CHANGE_PX = 4.0
"""Distance of slices after which a cloud's texture is another one."""


@dataclass(frozen=True)
class Cloud:
    """A grey haze with a texture of its own; pixels.

    Attributes:
        seed: Of its texture.
        centre: Column, row and height.
        size: Sigma along each of these.
        darkness: What the alloy in its middle lacks of its level.
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
    """A cloud about a centre (column, row, height)."""
    half = draw_log(rng, ranges.cloud_px)
    high = max(half / draw(rng, (1.5, 5)), 6.0)
    return Cloud(
        seed=int(rng.integers(2**31)),
        centre=centre,
        size=np.array((half, high, draw(rng, ranges.cloud_height_px))),
        darkness=draw(rng, ranges.cloud_darkness),
    )
