"""The plate before the laser comes, in the beam that crosses it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amseg_keras.simulate.physics.materials import MATERIALS, transmission
from amseg_keras.simulate.physics.radiograph import Beam, pink_spectrum
from amseg_keras.simulate.process.experiments import Experiment
from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.shot import View


@dataclass(frozen=True)
class Plate:
    """A plate seen from the side.

    Attributes:
        view: What the camera looks at.
        beam: Spectrum, alloy and thickness along the beam.
        surface: Row of its surface at each column, before melting, float32 `(width,)`.
        thickness: Relative thickness, 1 with a gentle gradient and less at
            the surface of a wall, float32 `(height, width)`.
    """

    view: View
    beam: Beam
    surface: np.ndarray
    thickness: np.ndarray

    @cached_property
    def below(self) -> np.ndarray:
        """1 in the plate and 0 above it, float32 `(height, width)`."""
        rows = np.arange(self.view.shape[0], dtype=np.float32)[:, None]
        return (rows >= self.surface).astype(np.float32)

    @property
    def inside(self) -> slice:
        """Up to 128 rows that lie in the plate at every column."""
        height = self.view.shape[0]
        start = int(np.clip(np.ceil(self.surface.max()) + 4, 0, height - 24))
        return slice(start, start + 128)

    def surface_at(self, column: float) -> float:
        """Row of the surface at a column; beyond the frame that of its edge."""
        return float(self.surface[int(np.clip(column, 0, self.surface.size - 1))])


def draw_plate(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: MeltRanges
) -> Plate:
    """Draw a plate and the beam."""
    beam = _draw_beam(rng, experiment, ranges)
    surface = _surface(rng, view, ranges)
    thickness = _thickness(rng, view.shape, ranges)
    if rng.random() < ranges.crowned:
        rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
        reach = draw_log(rng, ranges.crown_um) / view.pixel_um
        below = np.maximum(rows - surface, 0) / np.float32(reach)
        thickness *= 1 - np.float32(draw(rng, ranges.crown)) * np.exp(-below)
    return Plate(view, beam, surface, thickness)


def _draw_beam(rng: np.random.Generator, experiment: Experiment, ranges: MeltRanges) -> Beam:
    spectrum = pink_spectrum(draw(rng, ranges.mean_energy_kev))
    alloy = MATERIALS[experiment.plate]
    wanted = np.exp(-draw(rng, ranges.plate_absorbance))
    thickness = np.geomspace(5, 20_000, 400)
    passed = transmission(alloy, thickness, spectrum)
    return Beam(spectrum, alloy, float(np.interp(-wanted, -passed, thickness)))


def _surface(rng: np.random.Generator, view: View, ranges: MeltRanges) -> np.ndarray:
    x = np.arange(view.shape[1], dtype=np.float32)
    middle = draw(rng, ranges.surface_height) * view.shape[0]
    tilt = np.tan(np.deg2rad(draw(rng, ranges.tilt_deg))) * (x - view.shape[1] / 2)
    wave = np.zeros_like(x)
    for _ in range(3):
        length = draw_log(rng, (130, 1700)) / view.pixel_um
        wave += np.sin(2 * np.pi * x / length + draw(rng, (0, 2 * np.pi)))
    amplitude = draw(rng, ranges.waviness_um) / view.pixel_um / 2
    return (middle + tilt + amplitude * wave).astype(np.float32)


def _thickness(rng: np.random.Generator, shape: tuple[int, int], ranges: MeltRanges) -> np.ndarray:
    down = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None]
    across = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None]
    gradients = (draw(rng, ranges.plate_gradient), draw(rng, ranges.plate_gradient))
    return np.float32(1) + np.float32(gradients[0]) * down + np.float32(gradients[1]) * across
