"""What is in a plate and is no void: bright bands, dents, stains, rings, scratches.

They stand still and have no class of their own.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.physics.detector import uneven_field
from amseg_keras.simulate.physics.radiograph import Component, Layer, propagate
from amseg_keras.simulate.ranges.base import draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.plate import Plate


def draw_marks(
    rng: np.random.Generator, plate: Plate, sigma: float, ranges: MeltRanges
) -> Layer | None:
    """Draw the marks of a plate.

    Args:
        rng: Source of all randomness.
        plate: Where they are.
        sigma: Standard deviation of the log intensity over the plate.
        ranges: What else is drawn from.

    Returns:
        Path that they add and their fringes; None for a plate without marks.
    """
    path: np.ndarray = np.zeros(plate.view.shape, np.float32)
    drawn = False
    for _ in range(draw_integer(rng, ranges.dents) if rng.random() < ranges.dented else 0):
        path -= np.float32(draw(rng, ranges.dent_depth) * plate.beam.plate_um) * _dent(rng, plate)
        drawn = True
    for _ in range(draw_integer(rng, ranges.stains)):
        contrast = draw_log(rng, ranges.stain_sigmas) * sigma / plate.beam.slope
        path += np.float32(contrast) * _stain(rng, plate)
        drawn = True
    if rng.random() < ranges.stuck:
        path += _stuck_grains(rng, plate, sigma, ranges)
        drawn = True
    if not drawn:
        return None
    softening, fringe = draw(rng, (0.5, 1.2)), draw_log(rng, ranges.void_fringe)
    return propagate(Component(path * plate.below, softening, fringe))


def _stuck_grains(
    rng: np.random.Generator, plate: Plate, sigma: float, ranges: MeltRanges
) -> np.ndarray:
    """Path through grains of powder that stick to the plate's faces: round and dark."""
    view = plate.view
    path: np.ndarray = np.zeros(view.shape, np.float32)
    count = round(draw_integer(rng, ranges.stuck_grains) * path.size / (120 * 400))
    largest = draw_log(rng, ranges.stuck_grain_px)
    lowest = float(np.clip(plate.surface.min(), 0, view.shape[0] - 2))
    for _ in range(min(count, 200)):
        centre = (draw(rng, (0, view.shape[1])), draw(rng, (lowest, view.shape[0])))
        radius = max(largest * draw(rng, (0.3, 1.0)) / 2, 1.0)
        thickness = draw_log(rng, ranges.stain_sigmas) * sigma / plate.beam.slope
        left, right = int(max(centre[0] - radius, 0)), int(centre[0] + radius) + 2
        top, bottom = int(max(centre[1] - radius, 0)), int(centre[1] + radius) + 2
        rows, columns = np.ogrid[top : min(bottom, view.shape[0]), left : min(right, view.shape[1])]
        away = ((rows - centre[1]) ** 2 + (columns - centre[0]) ** 2) / radius**2
        # The chord through a ball.
        path[top:bottom, left:right] += np.float32(thickness) * np.sqrt(np.clip(1 - away, 0, 1))
    return path


@dataclass(frozen=True)
class Band:
    """A bright band under the surface.

    Attributes:
        path: What the beam crosses less there, um of the plate's alloy, float32 `(height, width)`.
        bottom: Row that it ends at.
        melts: Whether it is gone behind the laser.
    """

    path: np.ndarray
    bottom: int
    melts: bool


def draw_band(rng: np.random.Generator, plate: Plate, ranges: MeltRanges) -> Band | None:
    """Draw a band where the metal is thinner or loose; None for most plates."""
    if rng.random() >= ranges.band:
        return None
    lacking = draw(rng, ranges.band_depth) * plate.beam.plate_um
    path = np.float32(lacking) * _band(rng, plate)
    rows = np.flatnonzero(path.any(axis=1))
    bottom = int(rows[-1]) + 1 if rows.size else 0
    return Band(path, bottom, bool(rng.random() < ranges.band_melts))


def _band(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """A band under the surface where the plate is thinner, as far as a ragged line, 0 to 1."""
    view = plate.view
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(view.shape[1], dtype=np.float32)
    depth = draw_log(rng, (15.0, 150.0)) / view.pixel_um
    line = depth * (1 + uneven_field(rng, (1, view.shape[1]), draw(rng, (0.05, 0.35)), (1, 9))[0])
    whole = np.ones_like(columns)
    if rng.random() < 0.7:
        # It begins somewhere, tapering off.
        begin, soft = draw(rng, (0.05, 0.95)) * view.shape[1], draw_log(rng, (5.0, 120.0))
        side = rng.choice((-1.0, 1.0))
        whole = 1 / (1 + np.exp(np.clip(side * (columns - begin) / soft, -30, 30)))
    below = np.clip(plate.surface + line * whole - rows + 0.5, 0, 1)
    return np.asarray(below * (rows >= plate.surface) * whole, np.float32)


def _dent(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """A pit in a face that opens at the surface, wider than deep, 0 to 1."""
    view = plate.view
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(view.shape[1], dtype=np.float32)
    depth = draw_log(rng, (6.0, 40.0)) / view.pixel_um
    half = depth * draw(rng, (1.2, 5.0))
    away = np.abs(columns - draw(rng, (0, view.shape[1]))) / half
    # From a notch to a bowl.
    shape = np.maximum(1 - away ** draw(rng, (0.8, 2.5)), 0)
    return np.clip(plate.surface + depth * shape - rows + 0.5, 0, 1) * (away < 1)


def _stain(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """Dirt, a ring, an arc or a scratch, at most 1, mostly dark; float32 `(height, width)`."""
    view = plate.view
    field: np.ndarray = np.zeros(view.shape, np.float32)
    lowest = float(np.clip(plate.surface.min(), 0, view.shape[0] - 2))
    centre = (int(rng.integers(view.shape[1])), int(draw(rng, (lowest, view.shape[0] - 1))))
    size = max(int(draw_log(rng, (6.0, 60.0)) / view.pixel_um), 1)
    kind = str(rng.choice(("dirt", "arc", "scratch", "speck"), p=(0.35, 0.2, 0.25, 0.2)))
    sign = 1.0 if rng.random() < 0.7 else -1.0
    if kind == "dirt":
        count = int(rng.integers(8, 40))
        places = rng.normal(centre, size, (count, 2)).astype(int)
        for place in places:
            cv2.circle(
                field, place.tolist(), int(rng.integers(1, 3)), float(rng.normal(0, 0.7)), -1
            )
        return cv2.GaussianBlur(field, (0, 0), 0.7)
    if kind == "arc":
        axes = (max(size, 3), max(int(size * draw(rng, (0.5, 1.0))), 3))
        begin = int(rng.integers(360))
        end = begin + int(rng.integers(90, 361))
        cv2.ellipse(field, centre, axes, 0, begin, end, 0.7, int(rng.integers(1, 3)), cv2.LINE_AA)
    elif kind == "scratch":
        angle, length = draw(rng, (0, np.pi)), draw_log(rng, (40.0, 800.0)) / view.pixel_um
        other = (
            int(centre[0] + length * np.cos(angle)),
            int(centre[1] + length * np.sin(angle)),
        )
        cv2.line(field, centre, other, 0.7, 1, cv2.LINE_AA)
    else:
        cv2.circle(field, centre, int(rng.integers(1, 4)), 1.0, -1, cv2.LINE_AA)
        sign = 1.0
    return np.float32(sign) * cv2.GaussianBlur(field, (0, 0), draw(rng, (0.5, 1.0)))
