"""Simulated radiographs of melt pools, with labels, for training without annotated data.

A frame goes through it in one way: `facilities` says what is run where, `process` what the laser
does, `scenes` what stands in the beam, `textures` and `physics` what a camera sees of it.
"""

from amseg_keras.simulate.facilities import FACILITIES, REFERENCES, Facility
from amseg_keras.simulate.mixture import draw_recording
from amseg_keras.simulate.physics.materials import MATERIALS, Material
from amseg_keras.simulate.presentation import PRESENTATIONS
from amseg_keras.simulate.process.experiments import Experiment
from amseg_keras.simulate.ranges.casting import CastingRanges
from amseg_keras.simulate.ranges.deposit import DepositRanges
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.ranges.movie import MovieRanges, PresentationRanges
from amseg_keras.simulate.recording import Recording, record
from amseg_keras.simulate.sequence import SimulatedSequence, simulate_frame, simulate_sequence

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
