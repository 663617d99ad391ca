"""Simulated radiographs of melt pools, with labels, for training without annotated data.

A frame goes one way: `facilities` says what is run where, `process` what the laser does. `melt`,
`deposit`, `casting` and `textures` say what stands in the beam, and `absorption` and `detector`
what a camera sees of it.
"""

from amseg_keras.simulate.absorption import MATERIALS, Material
from amseg_keras.simulate.facilities import FACILITIES, REFERENCES, Facility
from amseg_keras.simulate.presentation import PRESENTATIONS
from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges import MovieRanges, PresentationRanges
from amseg_keras.simulate.ranges.casting import CastingRanges
from amseg_keras.simulate.ranges.deposit import DepositRanges
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.recording import Recording, record
from amseg_keras.simulate.sequence import (
    SimulatedSequence,
    draw_recording,
    simulate_frame,
    simulate_sequence,
)

__all__ = [
    "FACILITIES",
    "MATERIALS",
    "PRESENTATIONS",
    "REFERENCES",
    "CastingRanges",
    "DepositRanges",
    "Experiment",
    "Facility",
    "Material",
    "MeltRanges",
    "MovieRanges",
    "PresentationRanges",
    "Recording",
    "SimulatedSequence",
    "draw_recording",
    "record",
    "simulate_frame",
    "simulate_sequence",
]
