"""Measure physical quantities in label maps.

`geometry` measures one frame, `dynamics` what happens over time, `measure` does both for a whole
recording.
"""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.quantify.classes import class_areas
    from amseg_keras.quantify.dynamics.fluctuation import (
        Fluctuation,
        Spectrum,
        fluctuation,
        oscillation_spectrum,
    )
    from amseg_keras.quantify.dynamics.tracks import PoreTracks, track_pores
    from amseg_keras.quantify.geometry.keyhole import Keyhole, measure_keyhole, scan_direction
    from amseg_keras.quantify.geometry.melt_pool import (
        Boundary,
        MeltPool,
        measure_melt_pool,
        melt_pool_boundary,
    )
    from amseg_keras.quantify.geometry.pores import Pore, measure_pores
    from amseg_keras.quantify.geometry.surface import Surface, substrate_surface
    from amseg_keras.quantify.phantoms import Phantoms, find_phantoms
    from amseg_keras.quantify.quantities import Quantities, measure
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

# pandas and SciPy take a second to import, and who needs a scale or a table of areas needs neither.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.quantify.classes": ("class_areas",),
        "amseg_keras.quantify.dynamics.fluctuation": (
            "Fluctuation",
            "Spectrum",
            "fluctuation",
            "oscillation_spectrum",
        ),
        "amseg_keras.quantify.dynamics.tracks": ("PoreTracks", "track_pores"),
        "amseg_keras.quantify.geometry.keyhole": ("Keyhole", "measure_keyhole", "scan_direction"),
        "amseg_keras.quantify.geometry.melt_pool": (
            "Boundary",
            "MeltPool",
            "measure_melt_pool",
            "melt_pool_boundary",
        ),
        "amseg_keras.quantify.geometry.pores": ("Pore", "measure_pores"),
        "amseg_keras.quantify.geometry.surface": ("Surface", "substrate_surface"),
        "amseg_keras.quantify.phantoms": ("Phantoms", "find_phantoms"),
        "amseg_keras.quantify.quantities": ("Quantities", "measure"),
        "amseg_keras.quantify.scale": ("Scale",),
    },
)
