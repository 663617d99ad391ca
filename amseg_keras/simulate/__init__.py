"""Simulated radiographs of melt pools, with labels, for training without annotated data."""

from amseg_keras.simulate.materials import MATERIALS, Material
from amseg_keras.simulate.ranges import ESRF, Ranges
from amseg_keras.simulate.sequence import SimulatedSequence, simulate_frame, simulate_sequence

__all__ = [
    "ESRF",
    "MATERIALS",
    "Material",
    "Ranges",
    "SimulatedSequence",
    "simulate_frame",
    "simulate_sequence",
]
