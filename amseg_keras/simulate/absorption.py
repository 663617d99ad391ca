"""How materials absorb and refract X-rays, and the radiograph of what stands in the beam.

The attenuation coefficients are the Elam tables as computed by `xraydb`
(total cross section, mixture by weight fraction, density of the solid), frozen
here so that simulating needs no extra package. A test recomputes them.
The thermal constants are round handbook values near the melting point; what
they decide, the depth of a keyhole, scatters more than they are uncertain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

ENERGIES_KEV = (20.0, 24.0, 30.0, 40.0, 53.0)
"""Photon energies of the tables below."""


@dataclass(frozen=True)
class Thermal:
    """Thermal constants of a melting alloy.

    Attributes:
        liquidus_k: Liquidus temperature in K.
        density: Density in kg/m3.
        heat: Specific heat in J/(kg K).
        diffusivity: Thermal diffusivity in m2/s.
        absorptivity: Share of the laser's light that a keyhole takes up.
    """

    liquidus_k: float
    density: float
    heat: float
    diffusivity: float
    absorptivity: float


@dataclass(frozen=True)
class Material:
    """An alloy and its X-ray constants.

    Attributes:
        name: Usual name of the alloy.
        composition: Element symbol -> weight fraction.
        density: Density in g/cm3.
        attenuation: Linear attenuation coefficients in 1/cm, one for each of
            `ENERGIES_KEV`.
        delta: Refractive index decrement at 30 keV.
        thermal: What decides how deep a laser drills.

    Example:
        Share of 30 keV X-rays that half a millimetre of the alloy lets through:

        >>> titanium = MATERIALS["Ti6Al4V"]
        >>> per_cm = titanium.attenuation[ENERGIES_KEV.index(30.0)]
        >>> round(float(np.exp(-per_cm * 0.05)), 3)
        0.348
    """

    name: str
    composition: dict[str, float]
    density: float
    attenuation: tuple[float, ...]
    delta: float
    thermal: Thermal


_TITANIUM = Thermal(1928.0, 4200.0, 750.0, 8.5e-6, 0.58)
_ALUMINIUM = Thermal(900.0, 2450.0, 1100.0, 6.0e-5, 0.30)
_STEEL = Thermal(1700.0, 7200.0, 720.0, 5.6e-6, 0.50)
_NICKEL = Thermal(1620.0, 7700.0, 680.0, 5.5e-6, 0.52)

MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (
        Material(
            "Ti6Al4V",
            {"Ti": 0.90, "Al": 0.06, "V": 0.04},
            4.43,
            (67.25, 39.92, 21.11, 9.41, 4.45),
            9.41e-7,
            _TITANIUM,
        ),
        Material(
            "Ti6242",
            {"Ti": 0.86, "Al": 0.06, "Sn": 0.02, "Zr": 0.04, "Mo": 0.02},
            4.54,
            (79.11, 51.22, 30.53, 13.80, 6.50),
            9.61e-7,
            _TITANIUM,
        ),
        Material(
            "AlSi10Mg",
            {"Al": 0.8965, "Si": 0.10, "Mg": 0.0035},
            2.67,
            (9.46, 5.64, 3.09, 1.55, 0.91),
            5.96e-7,
            _ALUMINIUM,
        ),
        Material(
            "CP1",
            {"Al": 0.98, "Fe": 0.01, "Zr": 0.01},
            2.71,
            (11.80, 7.09, 3.89, 1.92, 1.08),
            6.02e-7,
            _ALUMINIUM,
        ),
        Material(
            "SS316L",
            {"Fe": 0.655, "Cr": 0.17, "Ni": 0.12, "Mo": 0.025, "Mn": 0.02, "Si": 0.01},
            7.99,
            (199.54, 127.94, 68.32, 30.43, 14.04),
            1.716e-6,
            _STEEL,
        ),
        Material(
            "IN625",
            {"Ni": 0.6135, "Cr": 0.215, "Mo": 0.09, "Nb": 0.0365, "Fe": 0.045},
            8.44,
            (247.16, 181.19, 97.90, 43.97, 20.27),
            1.824e-6,
            _NICKEL,
        ),
        Material(
            "IN718",
            {"Ni": 0.525, "Cr": 0.19, "Fe": 0.185, "Nb": 0.05, "Mo": 0.03, "Ti": 0.01, "Al": 0.01},
            8.19,
            (245.45, 158.57, 85.20, 38.14, 17.58),
            1.784e-6,
            _NICKEL,
        ),
        Material("Al", {"Al": 1.0}, 2.70, (9.29, 5.55, 3.05, 1.53, 0.90), 6.01e-7, _ALUMINIUM),
        Material(
            "Al7A77",
            {"Al": 0.9, "Zn": 0.055, "Mg": 0.023, "Cu": 0.016, "Zr": 0.006},
            2.81,
            (17.37, 10.46, 5.69, 2.71, 1.43),
            6.23e-7,
            _ALUMINIUM,
        ),
    )
}
"""The alloys of the experiments, by name."""


def transmission(
    material: Material, thickness_um: np.ndarray | float, spectrum: np.ndarray
) -> np.ndarray:
    """Fraction of a pink beam that passes a slab (Beer-Lambert, averaged over energies).

    Args:
        material: The alloy of the slab.
        thickness_um: Thickness along the beam in micrometres, any shape.
        spectrum: Weight of each of `ENERGIES_KEV`; normalised here.

    Returns:
        Transmission, same shape as `thickness_um`.

    Example:
        >>> monochromatic = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
        >>> round(float(transmission(MATERIALS["Ti6Al4V"], 100.0, monochromatic)), 3)
        0.81
    """
    weights = np.asarray(spectrum, float) / np.sum(spectrum)
    centimetres = np.asarray(thickness_um, float)[..., None] * 1e-4
    transmitted: np.ndarray = np.exp(-centimetres * np.asarray(material.attenuation)) @ weights
    return transmitted


def effective_attenuation(material: Material, spectrum: np.ndarray, thickness_um: float) -> float:
    """Slope of the absorbance at a thickness, in 1/um: what a thin void there is worth.

    A pink beam hardens, so the slope falls with the thickness already crossed.
    """
    below, above = transmission(material, np.array([thickness_um, thickness_um + 1.0]), spectrum)
    return float(np.log(below / above))


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
    return np.asarray(weights / weights.sum())


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
