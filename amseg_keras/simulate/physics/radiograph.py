"""From thickness maps to intensity: absorption in a pink beam and phase fringes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def slope(self) -> float:
        """Absorbance of one more micrometre behind the plate, 1/um."""
        return effective_attenuation(self.plate, self.spectrum, self.plate_um)

    @cached_property
    def polynomials(self) -> dict[float, np.ndarray]:
        """Fits of the log transmission, by the longest path that they hold for."""
        return {}

    @cached_property
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
    return log_of_paths(beam, crossed, fringe)


def log_of_paths(beam: Beam, crossed: np.ndarray, fringe: np.ndarray) -> np.ndarray:
    """Log of the transmitted intensity of paths and fringes, both in um of the plate's alloy."""
    most = np.float32(0.9 / beam.slope)
    absorbed = _log_transmission(beam, crossed)
    absorbed += np.float32(beam.slope) * np.clip(fringe, -most, most)
    return absorbed


def _log_transmission(beam: Beam, crossed: np.ndarray) -> np.ndarray:
    """Log of the transmission of each path in um of the plate's alloy."""
    crossed = np.maximum(crossed, 0)
    thickest = max(float(crossed.max()), 1.0)
    # A polynomial: sums of exponentials at every pixel would take most of a frame's time.
    coefficients = _polynomial(beam, float(2 ** np.ceil(np.log2(thickest))))
    result = np.full_like(crossed, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= crossed
        result += coefficient
    return result


def _polynomial(beam: Beam, thickest: float) -> np.ndarray:
    """Coefficients of log transmission over the path, highest first, float32."""
    known = beam.polynomials
    if thickest not in known:
        paths = np.linspace(0, thickest, 65)
        logs = np.log(transmission(beam.plate, paths, beam.spectrum))
        fitted = np.polynomial.Polynomial.fit(paths, logs, 5).convert().coef
        fitted = np.concatenate([fitted, np.zeros(6 - len(fitted))])
        known[thickest] = fitted[::-1].astype(np.float32)
    return known[thickest]
