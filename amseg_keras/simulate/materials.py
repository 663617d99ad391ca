"""How strongly the alloys of the experiments absorb and refract X-rays.

The attenuation coefficients are the Elam tables as computed by `xraydb`
(total cross section, mixture by weight fraction, density of the solid), frozen
here so that simulating needs no extra package. A test recomputes them.
"""

from dataclasses import dataclass

import numpy as np

ENERGIES_KEV = (20.0, 24.0, 30.0, 40.0, 53.0)
"""Photon energies of the tables below."""


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
    """

    name: str
    composition: dict[str, float]
    density: float
    attenuation: tuple[float, ...]
    delta: float


MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (
        Material(
            "Ti6Al4V",
            {"Ti": 0.90, "Al": 0.06, "V": 0.04},
            4.43,
            (67.25, 39.92, 21.11, 9.41, 4.45),
            9.41e-7,
        ),
        Material(
            "Ti6242",
            {"Ti": 0.86, "Al": 0.06, "Sn": 0.02, "Zr": 0.04, "Mo": 0.02},
            4.54,
            (79.11, 51.22, 30.53, 13.80, 6.50),
            9.61e-7,
        ),
        Material(
            "AlSi10Mg",
            {"Al": 0.8965, "Si": 0.10, "Mg": 0.0035},
            2.67,
            (9.46, 5.64, 3.09, 1.55, 0.91),
            5.96e-7,
        ),
        Material(
            "CP1",
            {"Al": 0.98, "Fe": 0.01, "Zr": 0.01},
            2.71,
            (11.80, 7.09, 3.89, 1.92, 1.08),
            6.02e-7,
        ),
        Material(
            "SS316L",
            {"Fe": 0.655, "Cr": 0.17, "Ni": 0.12, "Mo": 0.025, "Mn": 0.02, "Si": 0.01},
            7.99,
            (199.54, 127.94, 68.32, 30.43, 14.04),
            1.716e-6,
        ),
        Material(
            "IN625",
            {"Ni": 0.6135, "Cr": 0.215, "Mo": 0.09, "Nb": 0.0365, "Fe": 0.045},
            8.44,
            (247.16, 181.19, 97.90, 43.97, 20.27),
            1.824e-6,
        ),
    )
}
"""The alloys of the ESRF experiments, by name."""


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
    return np.exp(-centimetres * np.asarray(material.attenuation)) @ weights


def effective_attenuation(material: Material, spectrum: np.ndarray, thickness_um: float) -> float:
    """Slope of the absorbance at a thickness, in 1/um: what a thin void there is worth.

    A pink beam hardens, so the slope falls with the thickness already crossed.
    """
    below, above = transmission(material, np.array([thickness_um, thickness_um + 1.0]), spectrum)
    return float(np.log(below / above))
