"""Every range that the simulator draws from, in one place.

Lengths are in micrometres unless a name says `px` (detector pixels), fringe
strengths in square pixels, grey levels in fractions of the gas intensity.
"""

from dataclasses import dataclass, fields

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """Domain-randomisation ranges for ESRF ID19 frames (4.31 um/px, 40 kHz)."""

    # --- beam and materials ---------------------------------------------------
    mean_energy_kev: Range = (27.0, 40.0)
    """Centre of the pink beam; its relative width is 0.15."""
    plate_absorbance: Range = (0.12, 0.55)
    """-log of the transmission through the plate; its thickness follows from it."""

    # --- plate ----------------------------------------------------------------
    surface_height: Range = (0.22, 0.72)
    """Row of the surface at mid-width, as a fraction of the frame height."""
    tilt_deg: Range = (-3.0, 3.0)
    waviness_px: Range = (0.0, 1.5)
    bead_height_px: Range = (-2.0, 6.0)
    """Solidified track behind the laser: raised or sunken."""
    hump_height_px: Range = (0.0, 12.0)
    """Melt bulging beside the laser spot."""

    # --- powder ---------------------------------------------------------------
    layer_um: Range = (0.0, 190.0)
    """Powder layer thickness; about 100 on the real frames."""
    layer_sheets: tuple[int, int] = (3, 10)
    """Sheets of grains that the beam crosses in the layer."""
    face_sheets: tuple[int, int] = (0, 4)
    """Sheets of grains before and behind the plate (powder bed)."""
    airborne: tuple[int, int] = (0, 120)
    """Grains above the layer (powder bed)."""

    # --- texture --------------------------------------------------------------
    lpbf_texture: Range = (0.05, 0.22)
    """Standard deviation of the log intensity over a plate in a powder bed."""
    welding_texture: Range = (0.025, 0.11)
    contrast_in_sigma: Range = (1.4, 4.2)
    """Gas-to-plate contrast over the texture's sigma: 3 to 3.6 on the real frames."""

    # --- voids ----------------------------------------------------------------
    void_sigmas: Range = (0.3, 2.5)
    """Contrast of a void over the texture's sigma; both real frames are near 1."""
    void_extra: Range = (0.002, 0.015)
    """Contrast added to that, so that smooth plates hold visible voids too."""
    keyhole_depth_um: Range = (12.0, 250.0)
    keyhole_width_um: Range = (22.0, 130.0)
    front_wall_deg: Range = (0.0, 35.0)
    pore_diameter_px: Range = (3.0, 25.0)
    large_pore_px: Range = (20.0, 45.0)
    """One pore in eight: lack of fusion and merged keyhole pores."""

    # --- detector -------------------------------------------------------------
    psf_px: Range = (0.45, 0.75)
    noise: Range = (0.004, 0.03)
    """Photon and camera noise before the point spread."""
    shading: Range = (0.0, 0.06)
    """Uneven beam left after the flat field."""
    stripes: Range = (0.0, 0.006)

    # --- phase fringes: strength (px2) and softening (px) ----------------------
    plate_fringe: Range = (2.0, 24.0)
    plate_softening_px: Range = (0.7, 1.6)
    worn_softening_px: Range = (0.8, 5.0)
    """The same under powder: an edge that is rounded, uneven through the plate, half melted."""
    grain_fringe: Range = (1.5, 9.0)
    grain_softening_px: Range = (0.2, 0.65)
    void_fringe: Range = (0.8, 9.0)
    void_softening_px: Range = (0.75, 1.4)

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = getattr(self, field.name)
            if low > high:
                raise ValueError(f"{field.name}: lower end {low} is above the upper end {high}.")


ESRF = Ranges()
"""The ranges used for pretraining."""


def draw(rng: np.random.Generator, limits: Range) -> float:
    """Uniform number between two limits."""
    return float(rng.uniform(*limits))


def draw_log(rng: np.random.Generator, limits: Range) -> float:
    """Log-uniform number: as many small ones as large ones."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def draw_integer(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """Uniform integer, both limits included."""
    return int(rng.integers(limits[0], limits[1] + 1))
