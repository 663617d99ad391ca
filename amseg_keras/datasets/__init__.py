"""Labelled frames in a folder: opening, checking, splitting, feeding to a network."""

from amseg_keras.datasets.augmentation import strong_augmentation
from amseg_keras.datasets.batching import Batches, BatchOptions, batches
from amseg_keras.datasets.dataset import Dataset, LabelledFrame
from amseg_keras.datasets.open import open_dataset

__all__ = [
    "BatchOptions",
    "Batches",
    "Dataset",
    "LabelledFrame",
    "batches",
    "open_dataset",
    "strong_augmentation",
]
