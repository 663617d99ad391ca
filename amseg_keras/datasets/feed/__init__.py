"""From a data set on disk to batches for `model.fit`, on every backend."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.datasets.feed.augment import strong_augmentation
    from amseg_keras.datasets.feed.feed import Batches, BatchOptions, batches

__all__ = ["BatchOptions", "Batches", "batches", "strong_augmentation"]

# `frames` in this folder scales frames, for which nobody needs Keras.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.datasets.feed.augment": ("strong_augmentation",),
        "amseg_keras.datasets.feed.feed": ("BatchOptions", "Batches", "batches"),
    },
)
