"""Which of a few labelled frames to stop by."""

from __future__ import annotations

from dataclasses import replace

from amseg_keras.datasets import Dataset
from amseg_keras.datasets.split import split_dataset
from amseg_keras.read import ReadError

SHARE = 5
"""One of so many frames of a single sequence is for validation."""


def split_for_tuning(data: Dataset) -> tuple[Dataset, str]:
    """The data set with frames to train on and frames to stop by, and how they were chosen.

    A split that the data set has is kept; frames of its test are not touched. Without one, whole
    sequences are held out where there are three or more, else the last fifth of each sequence:
    neighbours of a frame are nearly equal to it, so single frames at random would show nothing.

    Raises:
        ReadError: Fewer than two frames have labels.

    Example:
        >>> from pathlib import Path
        >>> from amseg_keras.datasets import LabelledFrame
        >>> frames = tuple(LabelledFrame(f"{k}.tif", f"{k}.png", "shot", k) for k in range(5))
        >>> split, how = split_for_tuning(Dataset(Path("data"), ("gas", "melt"), frames))
        >>> [frame.split for frame in split.frames], how
        (['train', 'train', 'train', 'train', 'validation'], 'the last fifth of each sequence')
    """
    labelled = tuple(frame for frame in data.frames if frame.label is not None)
    data = replace(data, frames=labelled)
    if len(labelled) < 2:
        raise ReadError(
            f"{data.folder}: has {len(labelled)} labelled frame{'s' * (len(labelled) != 1)}, and "
            "fine-tuning needs two at least: one to train on, one to stop by"
        )
    if all(data.of_split(name).frames for name in ("train", "validation")):
        return data, "as dataset.json says"
    if any(frame.split for frame in labelled):
        return _by_time(data), "the last fifth of each sequence that is not for the test"
    if len(data.sequences()) >= 3:
        parts = split_dataset(data, by="sequence")
        # There is no test to keep frames for.
        frames = tuple(
            replace(frame, split="train") if frame.split == "test" else frame
            for frame in parts.frames
        )
        return replace(data, frames=frames), "whole sequences"
    return _by_time(data), "the last fifth of each sequence"


def _by_time(data: Dataset) -> Dataset:
    where: dict[str, str] = {}
    for frames in data.sequences().values():
        free = [frame for frame in frames if frame.split != "test"]
        held = max(1, round(len(free) / SHARE)) if len(free) > 1 else 0
        for number, frame in enumerate(free):
            where[frame.image] = "validation" if number >= len(free) - held else "train"
    if "validation" not in where.values():
        # Every sequence is a single frame: the last of them are held out.
        for image in list(where)[-max(1, round(len(where) / SHARE)) :]:
            where[image] = "validation"
    frames = tuple(replace(f, split=where.get(f.image, f.split)) for f in data.frames)
    return replace(data, frames=frames)
