"""Labelled frames in a folder: opening, checking, splitting, feeding to a network."""

from amseg_keras.datasets.dataset import Dataset, LabelledFrame
from amseg_keras.datasets.open import open_dataset

__all__ = ["Dataset", "LabelledFrame", "open_dataset"]
