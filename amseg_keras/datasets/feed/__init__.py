"""From a data set on disk to batches for `model.fit`, on every backend."""

from amseg_keras.datasets.feed.augment import strong_augmentation
from amseg_keras.datasets.feed.feed import Batches, BatchOptions, batches

__all__ = ["BatchOptions", "Batches", "batches", "strong_augmentation"]
