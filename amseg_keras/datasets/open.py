"""From a folder to its data set, whether it says what it holds or not."""

from __future__ import annotations

import os
from pathlib import Path

from amseg_keras.datasets.dataset import Dataset, read_dataset_file


def open_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """Open the data set of a folder; no image is read.

    Raises:
        ReadError: There is none, or its `dataset.json` is wrong.
    """
    return read_dataset_file(Path(folder))
