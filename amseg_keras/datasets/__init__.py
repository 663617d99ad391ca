"""Labelled frames in a folder: opening, checking, splitting, feeding to a network."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand
from amseg_keras.datasets.dataset import Dataset, LabelledFrame
from amseg_keras.datasets.open import open_dataset

if TYPE_CHECKING:
    from amseg_keras.datasets.augmentation import strong_augmentation
    from amseg_keras.datasets.batching import Batches, BatchOptions, batches

__all__ = [
    "BatchOptions",
    "Batches",
    "Dataset",
    "LabelledFrame",
    "batches",
    "open_dataset",
    "strong_augmentation",
]

# Looking at a data set needs no Keras; feeding a network does.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.datasets.augmentation": ("strong_augmentation",),
        "amseg_keras.datasets.batching": ("BatchOptions", "Batches", "batches"),
    },
)
