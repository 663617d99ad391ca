"""Quantities of one frame: the substrate's surface, the keyhole, the pores."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.quantify.geometry.keyhole import Keyhole, measure_keyhole, scan_direction
    from amseg_keras.quantify.geometry.melt_pool import (
        Boundary,
        MeltPool,
        measure_melt_pool,
        melt_pool_boundary,
    )
    from amseg_keras.quantify.geometry.pores import Pore, measure_pores
    from amseg_keras.quantify.geometry.surface import Surface, substrate_surface

__all__ = [
    "Boundary",
    "Keyhole",
    "MeltPool",
    "Pore",
    "Surface",
    "measure_keyhole",
    "measure_melt_pool",
    "measure_pores",
    "melt_pool_boundary",
    "scan_direction",
    "substrate_surface",
]

# SciPy and pandas take long to import, and few need all of this.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.quantify.geometry.keyhole": (
            "Keyhole",
            "measure_keyhole",
            "scan_direction",
        ),
        "amseg_keras.quantify.geometry.melt_pool": (
            "Boundary",
            "MeltPool",
            "measure_melt_pool",
            "melt_pool_boundary",
        ),
        "amseg_keras.quantify.geometry.pores": (
            "Pore",
            "measure_pores",
        ),
        "amseg_keras.quantify.geometry.surface": (
            "Surface",
            "substrate_surface",
        ),
    },
)
