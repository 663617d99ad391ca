"""Batches that are slow to make, kept on disk and given again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets.feed.ahead import Batch
from amseg_keras.training.feed.around import ExamplesAround
from amseg_keras.training.feed.examples import Examples


class KeptExamples(ExamplesAround):
    """The batches of the first epochs, again and again.

    A simulator or a teacher may take longer than a step of a small network. Images are kept as
    float16 and soft labels in steps of 1/255, a megabyte for a frame of 256 x 512.

    Args:
        examples: Where they come from.
        epochs: So many epochs are made; then the first comes again.
        folder: Where they are kept; a training that goes on finds them there.
    """

    def __init__(self, examples: Examples, epochs: int, folder: Path) -> None:
        super().__init__(examples)
        self._epochs, self._folder = epochs, folder

    def describe(self) -> dict[str, Any]:
        return {**self.examples.describe(), "kept_epochs": self._epochs}

    def batches(self, epoch: int) -> keras.utils.PyDataset:
        again = epoch % self._epochs
        return _Kept(self.examples.batches(again), self._folder / f"{again:04d}")


class _Kept(keras.utils.PyDataset):
    def __init__(self, batches: keras.utils.PyDataset, folder: Path) -> None:
        super().__init__()
        self._batches, self._folder = batches, folder

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        path = self._folder / f"{index:05d}.npz"
        if not path.exists():
            images, labels = self._batches[index]
            self._folder.mkdir(parents=True, exist_ok=True)
            soft = labels.dtype.kind == "f"
            packed = np.rint(255 * labels) if soft else labels
            with complete_or_absent(path) as temporary, temporary.open("wb") as file:
                np.savez(file, images=images.astype(np.float16), labels=packed.astype(np.uint8))
        # Read back even where just made: a training that goes on sees the same numbers.
        with np.load(path) as kept:
            images, packed = kept["images"].astype(np.float32), kept["labels"]
        # Of class ids there is no axis for the classes.
        return images, packed / np.float32(255) if packed.ndim == 4 else packed.astype(np.int32)
