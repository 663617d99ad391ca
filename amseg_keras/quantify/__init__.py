"""From label maps to physical quantities.

`geometry` measures one frame, `dynamics` what happens over time, `measure` does both for a whole
recording.
"""

from amseg_keras.quantify.areas import class_areas
from amseg_keras.quantify.dynamics.fluctuation import Fluctuation, fluctuation
from amseg_keras.quantify.dynamics.spectrum import Spectrum, oscillation_spectrum
from amseg_keras.quantify.dynamics.tracks import PoreTracks, track_pores
from amseg_keras.quantify.geometry import (
    Boundary,
    Keyhole,
    MeltPool,
    Pore,
    Surface,
    measure_keyhole,
    measure_melt_pool,
    measure_pores,
    melt_pool_boundary,
    scan_direction,
    substrate_surface,
)
from amseg_keras.quantify.measure import Quantities, measure
from amseg_keras.quantify.phantoms import Phantoms, find_phantoms
from amseg_keras.quantify.scale import Scale

__all__ = [
    "Boundary",
    "Fluctuation",
    "Keyhole",
    "MeltPool",
    "Phantoms",
    "Pore",
    "PoreTracks",
    "Quantities",
    "Scale",
    "Spectrum",
    "Surface",
    "class_areas",
    "find_phantoms",
    "fluctuation",
    "measure",
    "measure_keyhole",
    "measure_melt_pool",
    "measure_pores",
    "melt_pool_boundary",
    "oscillation_spectrum",
    "scan_direction",
    "substrate_surface",
    "track_pores",
]
