"""How alike two radiographs are: grey levels, texture, noise, edges and motion within a region.

Every function takes arrays and a region, a bool mask of the pixels that count; nothing leaks in
from beside it. Real and simulated frames are measured by the same code.
"""

from amseg_keras.simulate.statistics.edges import (
    Edge,
    boundary_distance,
    edge_profile,
    measure_edge,
    surface_distance,
)
from amseg_keras.simulate.statistics.frames import (
    Spectrum,
    StackVariance,
    grey_histogram,
    grey_level,
    high_pass,
    neighbour_correlation,
    power_spectrum,
    split_variance,
    texture_contrast,
    texture_unevenness,
)
from amseg_keras.simulate.statistics.movie import (
    Unsteadiness,
    ghost_share,
    motion_channel,
    unsteadiness,
)

__all__ = [
    "Edge",
    "Spectrum",
    "StackVariance",
    "Unsteadiness",
    "boundary_distance",
    "edge_profile",
    "ghost_share",
    "grey_histogram",
    "grey_level",
    "high_pass",
    "measure_edge",
    "motion_channel",
    "neighbour_correlation",
    "power_spectrum",
    "split_variance",
    "surface_distance",
    "texture_contrast",
    "texture_unevenness",
    "unsteadiness",
]
