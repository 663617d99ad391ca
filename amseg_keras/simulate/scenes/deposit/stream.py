"""What flies above a deposit: the powder stream and bright specks, new in every frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.deposit import DepositRanges

_EARLIEST = 1 << 20
"""Added to frame numbers, as frames before the laser have negative ones."""


@dataclass(frozen=True)
class Stream:
    """Powder and specks; at 1 kHz a grain crosses the view within a frame or two.

    Attributes:
        seed: With the frame's number, the seed of what flies in that frame.
        grains: Grains in a frame, on average.
        specks: Bright specks in a frame, on average.
        radius: Smallest and largest radius of a grain, pixels.
        streak: Longest way of a grain during the exposure, pixels.
        focus: Half width of the stream at the laser, pixels; above it opens by as much in
            as many rows.
        pixel_um: Micrometres a pixel.
    """

    seed: int
    grains: float
    specks: float
    radius: tuple[float, float]
    streak: float
    focus: float
    pixel_um: float

    def fly(
        self, frame: int, surface: np.ndarray, height: int, laser: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Path in flying grains (um) and brightness of specks, both `(height, width)`.

        Args:
            frame: Which frame of the shot.
            surface: Row of the deposit's surface at each column.
            height: Rows of the frame.
            laser: Column that the stream points to; it may lie outside the view.
        """
        rng = np.random.default_rng((self.seed, frame + _EARLIEST))
        powder: np.ndarray = np.zeros((height, surface.size), np.float32)
        specks = np.zeros_like(powder)
        for _ in range(rng.poisson(self.grains)):
            self._grain(rng, powder, surface, laser)
        for _ in range(rng.poisson(self.specks)):
            column = int(rng.integers(surface.size))
            row = int(surface[column] - rng.exponential(0.25) * surface[column])
            at = (column, row)
            cv2.circle(specks, at, int(rng.integers(0, 3)), rng.uniform(0.05, 0.3), -1, cv2.LINE_AA)
        return powder, cv2.GaussianBlur(specks, (0, 0), 0.8)

    def _grain(
        self, rng: np.random.Generator, powder: np.ndarray, surface: np.ndarray, laser: float
    ) -> None:
        above = rng.uniform(0, 1) * max(float(surface.min()), 1.0)
        spread = self.focus + above
        column = laser + spread * rng.normal()
        if not 0 <= column < surface.size:
            return
        end = np.array((column, surface[int(column)] - above))
        radius = draw_log(rng, self.radius)
        way = rng.uniform(0, self.streak) if rng.random() < 0.7 else 0.0
        aim = np.array((laser - column, above)) / max(float(np.hypot(laser - column, above)), 1.0)
        start = end - way * aim
        # Mean path in a ball, thinned as it is smeared over its way.
        path = 4 / 3 * radius * self.pixel_um * 2 * radius / (2 * radius + way)
        low, high = (np.round(16 * end).astype(int).tolist() for end in (start, end))
        streak = np.zeros_like(powder)
        width = max(round(2 * radius), 1)
        cv2.line(streak, low, high, path, width, cv2.LINE_AA, shift=4)
        powder += streak


def draw_stream(rng: np.random.Generator, pixel_um: float, ranges: DepositRanges) -> Stream:
    """How much flies, and how fast."""
    low, high = ranges.flying_diameter_um
    return Stream(
        seed=int(rng.integers(2**31)),
        grains=draw(rng, ranges.stream),
        specks=draw(rng, ranges.specks),
        radius=(low / pixel_um / 2, high / pixel_um / 2),
        streak=draw(rng, ranges.streak_um) / pixel_um,
        focus=draw(rng, ranges.focus_um) / pixel_um,
        pixel_um=pixel_um,
    )
