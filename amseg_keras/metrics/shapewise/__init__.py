"""Keras metrics that look at shapes: boundaries, and pores one by one."""

from amseg_keras.metrics.shapewise.boundary_f1 import BoundaryF1
from amseg_keras.metrics.shapewise.pore_precision import PorePrecision
from amseg_keras.metrics.shapewise.pore_recall import PoreRecall

__all__ = ["BoundaryF1", "PorePrecision", "PoreRecall"]
