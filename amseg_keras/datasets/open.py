"""From a folder to its data set, whether it says what it holds or not."""

from __future__ import annotations

import os
from pathlib import Path

from amseg_keras.datasets.dataset import DATASET_FILE, Dataset, read_dataset_file
from amseg_keras.datasets.guess import guess_dataset


def open_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """Open the data set of a folder.

    With a `dataset.json` no image is read. Without one, frames and labels are matched by their
    names, each label is read once for the ids in it, and what was assumed is in `assumed`.

    Args:
        folder: Of `dataset.json`, or of the frames and their labels.

    Raises:
        ReadError: There is none, its `dataset.json` is wrong, or its names match nothing.

    Example:
        >>> open_dataset("no_such_folder")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: no_such_folder: no such file or folder; check the path
    """
    path = Path(folder)
    if (path / DATASET_FILE).exists():
        return read_dataset_file(path)
    return guess_dataset(path)
