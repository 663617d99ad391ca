"""From thickness maps to grey levels: absorption, phase fringes, detector."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.materials import (
    ENERGIES_KEV,
    Material,
    effective_attenuation,
    transmission,
)
from amseg_keras.simulate.ranges import Ranges, draw, draw_log


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

    def equivalent(self, material: Material) -> float:
        """Micrometres of plate that absorb as much as one micrometre of a material."""
        own = effective_attenuation(material, self.spectrum, 20.0)
        return own / effective_attenuation(self.plate, self.spectrum, 20.0)


def fringed(component: Component) -> np.ndarray:
    """T - k * Laplacian(T) of a softened component: its path with the fringe, in um."""
    soft = component.thickness
    if component.softening > 0:
        soft = cv2.GaussianBlur(soft, (0, 0), component.softening)
    if component.fringe == 0:
        return soft
    return soft - component.fringe * cv2.Laplacian(soft, cv2.CV_32F)


def log_intensity(beam: Beam, components: list[Component]) -> np.ndarray:
    """Log of the transmitted intensity, float32 `(height, width)`.

    Each component's -L + k Laplacian(L) is added in log intensity. Taking the
    fringes of the linear intensity instead goes below zero at strong edges.
    """
    crossed = np.zeros_like(components[0].thickness)
    fringe = np.zeros_like(crossed)
    for component in components:
        soft = component.thickness
        if component.softening > 0:
            soft = cv2.GaussianBlur(soft, (0, 0), component.softening)
        crossed += soft
        if component.fringe:
            fringe += component.fringe * cv2.Laplacian(soft, cv2.CV_32F)
    thickest = max(float(crossed.max()), 1.0)
    grid = np.linspace(0, thickest, 257)
    table = np.log(transmission(beam.plate, grid, beam.spectrum))
    absorbed = np.interp(np.maximum(crossed, 0), grid, table).astype(np.float32)
    return absorbed + np.float32(beam.slope) * np.clip(fringe, -0.9 / beam.slope, 0.9 / beam.slope)


@dataclass(frozen=True)
class Detector:
    """What one camera adds to every frame of a shot; drawn by `draw_detector`.

    Attributes:
        psf: Sigma of the point spread, pixels.
        noise: Noise before the point spread, fraction of the gas intensity.
        uneven: Static factor left by the beam and the flat field, `(height, width)`.
        gas_level: Grey level of the gas, fraction of full scale, where `stretch` is false.
        black_level: Intensity shown black, fraction of the gas.
        stretch: Stretch between the 0.1 and 99.9 percentiles instead.
        bits: 8, 12 or 16.
    """

    psf: float
    noise: float
    uneven: np.ndarray
    gas_level: float
    black_level: float
    stretch: bool
    bits: int


def draw_detector(rng: np.random.Generator, shape: tuple[int, int], ranges: Ranges) -> Detector:
    """Draw a camera with its uneven beam and its leftover dust."""
    return Detector(
        psf=draw(rng, ranges.psf_px),
        noise=draw_log(rng, ranges.noise),
        uneven=_uneven_beam(rng, shape, ranges),
        gas_level=draw(rng, (0.55, 0.85)),
        black_level=draw(rng, (0.0, 0.3)),
        stretch=bool(rng.random() < 0.3),
        bits=int(rng.choice((8, 12, 16), p=(0.8, 0.1, 0.1))),
    )


def expose(rng: np.random.Generator, log: np.ndarray, detector: Detector) -> np.ndarray:
    """Record a log intensity: uneven beam, noise, point spread, grey levels.

    Returns:
        uint8 frame `(height, width)`, or uint16 for 12 and 16 bits.
    """
    intensity = cv2.exp(log) * detector.uneven
    noise = rng.standard_normal(log.shape, dtype=np.float32)
    # Photon noise grows with the square root of the intensity.
    intensity += detector.noise * noise * np.sqrt(np.maximum(intensity, 0.05))
    intensity = cv2.GaussianBlur(intensity, (0, 0), detector.psf)
    if detector.stretch:
        # Every third row is enough for a percentile and three times as fast.
        black, white = np.percentile(intensity[::3], (0.1, 99.9))
    else:
        black = detector.black_level
        white = black + (1 - black) / detector.gas_level
    full = 2**detector.bits - 1
    grey = np.clip((intensity - black) * (full / max(white - black, 1e-3)), 0, full)
    return np.round(grey).astype(np.uint8 if detector.bits == 8 else np.uint16)


def _uneven_beam(rng: np.random.Generator, shape: tuple[int, int], ranges: Ranges) -> np.ndarray:
    coarse = rng.standard_normal((3, 4)).astype(np.float32)
    uneven = (
        0.4
        * draw(rng, ranges.shading)
        * cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    )
    rows = rng.standard_normal((shape[0], 1)).astype(np.float32)
    uneven += draw(rng, ranges.stripes) * cv2.GaussianBlur(rows, (1, 0), 0, sigmaY=1.2)
    # Dust on the scintillator leaves rings and light-dark pairs once it has drifted.
    dust = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(0, 12))):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        strength = float(rng.normal(0, 0.05))
        radius = int(rng.integers(0, 8))
        cv2.circle(dust, centre, radius, strength, 1 if radius > 1 else -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            beside = (centre[0] + int(rng.integers(-3, 4)), centre[1] + int(rng.integers(-3, 4)))
            cv2.circle(dust, beside, radius, -strength, 1 if radius > 1 else -1, cv2.LINE_AA)
    return 1 + uneven + cv2.GaussianBlur(dust, (0, 0), 0.7)
