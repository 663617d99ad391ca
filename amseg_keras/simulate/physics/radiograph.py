"""From thickness maps to intensity: absorption in a pink beam and phase fringes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.physics.materials import (
    ENERGIES_KEV,
    Material,
    effective_attenuation,
    transmission,
)


@dataclass(frozen=True)
class Component:
    """One thing that the beam crosses.

    Attributes:
        thickness: Path in it as micrometres of the plate's alloy, float32
            `(height, width)`; negative for a void.
        softening: Blur before the fringe is taken, pixels.
        fringe: Strength k of the phase fringe, square pixels.
    """

    thickness: np.ndarray
    softening: float
    fringe: float


def pink_spectrum(mean_kev: float, relative_width: float = 0.15) -> np.ndarray:
    """Weights of `ENERGIES_KEV` for a bell-shaped beam, sum 1."""
    energies = np.asarray(ENERGIES_KEV)
    # The tabulated energies are unevenly spaced: each stands for its own share of the axis.
    weights = np.exp(-0.5 * ((energies / mean_kev - 1) / relative_width) ** 2)
    weights *= np.gradient(energies)
    return weights / weights.sum()


@dataclass(frozen=True)
class Beam:
    """Spectrum and the plate it meets.

    Attributes:
        spectrum: Weights of `ENERGIES_KEV`.
        plate: Alloy of the plate.
        plate_um: Its thickness along the beam.
    """

    spectrum: np.ndarray
    plate: Material
    plate_um: float

    @property
    def slope(self) -> float:
        """Absorbance of one more micrometre behind the plate, 1/um."""
        return effective_attenuation(self.plate, self.spectrum, self.plate_um)

    @property
    def through(self) -> float:
        """Transmission of the plate."""
        return float(transmission(self.plate, self.plate_um, self.spectrum))

    def equivalent(self, material: Material) -> float:
        """Micrometres of plate that absorb as much as one micrometre of a material."""
        own = effective_attenuation(material, self.spectrum, 20.0)
        return own / effective_attenuation(self.plate, self.spectrum, 20.0)


@dataclass(frozen=True)
class Fringe:
    """Phase fringe of a kind of thing: strength (px2) and softening (px)."""

    strength: float
    softening: float


@dataclass(frozen=True)
class Layer:
    """A component after propagation; what stands still is propagated once for all frames.

    Attributes:
        crossed: Softened path, micrometres of the plate's alloy, float32 `(height, width)`.
        fringe: Phase fringe, in the same unit; added to the log intensity like a path taken away.
    """

    crossed: np.ndarray
    fringe: np.ndarray


def propagate(component: Component) -> Layer:
    """Soften a component and take its phase fringe, k * Laplacian."""
    soft = component.thickness
    if component.softening > 0:
        soft = cv2.GaussianBlur(soft, (0, 0), component.softening)
    if component.fringe == 0:
        return Layer(soft, np.zeros_like(soft))
    return Layer(soft, np.float32(component.fringe) * cv2.Laplacian(soft, cv2.CV_32F))


def log_intensity(beam: Beam, parts: Sequence[Component | Layer]) -> np.ndarray:
    """Log of the transmitted intensity, float32 `(height, width)`.

    Each component's -L + k Laplacian(L) is added in log intensity. Taking the
    fringes of the linear intensity instead goes below zero at strong edges.
    """
    layers = [part if isinstance(part, Layer) else propagate(part) for part in parts]
    crossed = np.sum([layer.crossed for layer in layers], axis=0)
    fringe = np.sum([layer.fringe for layer in layers], axis=0)
    absorbed = _log_transmission(beam, crossed)
    return absorbed + np.float32(beam.slope) * np.clip(fringe, -0.9 / beam.slope, 0.9 / beam.slope)


def _log_transmission(beam: Beam, crossed: np.ndarray) -> np.ndarray:
    """Log of the transmission of each path in um of the plate's alloy."""
    # From a table: sums of exponentials at every pixel would take most of a frame's time.
    crossed = np.maximum(crossed, 0)
    thickest = max(float(crossed.max()), 1.0)
    table = np.log(transmission(beam.plate, np.linspace(0, thickest, 258), beam.spectrum))
    table = table.astype(np.float32)
    place = crossed * np.float32(257 / thickest)
    cell = np.minimum(place.astype(np.int32), 256)
    return table[cell] + (place - cell.astype(np.float32)) * np.diff(table)[cell]
