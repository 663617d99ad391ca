"""Which frames a fine-tuning trained on, and which it held out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets import Dataset, open_dataset
from amseg_keras.read import ReadError
from amseg_keras.training.recipe import TrainingError

SPLIT = "split.csv"
"""File of the split in the folder of a fine-tuning."""

_COLUMNS = ["image", "sequence", "split"]


def refuse_equal_frames(data: Dataset) -> None:
    """Refuse a data set that has a frame twice: one would be trained on, the other held out.

    Args:
        data: Data set with a split.

    Raises:
        TrainingError: Two frames show the same pixels.
        ReadError: A frame cannot be read.
    """
    seen: dict[bytes, str] = {}
    for frame in data.frames:
        pixels = np.ascontiguousarray(data.image(frame), np.float64)
        key = hashlib.blake2b(pixels.tobytes() + str(pixels.shape).encode()).digest()
        if key in seen:
            raise TrainingError(
                f"{data.folder}: {frame.image} shows the same pixels as {seen[key]}; take one of "
                "them out (amseg dataset validate lists all)"
            )
        seen[key] = frame.image


def keep_split(data: Dataset, folder: Path) -> None:
    """Write which frames are for what.

    Args:
        data: Data set with a split.
        folder: Folder of the fine-tuning.
    """
    rows = [(frame.image, frame.sequence, frame.split or "") for frame in data.frames]
    with complete_or_absent(folder / SPLIT) as temporary:
        pd.DataFrame(rows, columns=_COLUMNS).to_csv(temporary, index=False)


def data_of_run(folder: Path, data: Path) -> Dataset:
    """Open a data set with the split of a fine-tuning.

    Args:
        folder: Folder of the fine-tuning.
        data: Folder of the data set.

    Raises:
        ReadError: There is no such run, or the data set has other frames than it had.
    """
    try:
        rows = pd.read_csv(folder / SPLIT, keep_default_na=False, dtype=str)
        split = dict(zip(rows["image"], rows["split"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(
            f"{folder}: has no readable {SPLIT}; give the folder that amseg finetune wrote (-o)"
        ) from error
    opened = open_dataset(data)
    frames = tuple(
        replace(frame, split=split[frame.image] or None)
        for frame in opened.frames
        if frame.image in split
    )
    if len(frames) < len(split):
        raise ReadError(
            f"{data}: lacks {len(split) - len(frames)} of the {len(split)} frames that "
            f"{folder} was tuned with; give the data set as it was then"
        )
    return replace(opened, frames=frames)
