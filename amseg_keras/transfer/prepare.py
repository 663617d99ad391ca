"""Prepare a fine-tuning: a network for the classes of the data, and the frames held out."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.statistics import split_dataset
from amseg_keras.models.precision import from_config
from amseg_keras.read import ReadError
from amseg_keras.training.recipe import TrainingError

ONE_FRAME = "one frame, which is trained on and scored"
"""Split of a single labelled frame."""

SHARE = 5
"""One frame in this number of a single sequence is for validation."""


def split_for_tuning(data: Dataset) -> tuple[Dataset, str]:
    """Split a data set into frames to train on and to stop by, and say how they were chosen.

    Frames without labels stay in no split: the grey levels and the background of the motion channel
    are made of them, too. A single labelled frame is in both splits; it tunes a network to its own
    recording, and its scores say nothing of other frames.

    A split that the data set has is kept; frames of its test are not touched. Without one, whole
    sequences are held out where there are three or more, else the last fifth of each sequence:
    neighbours of a frame are nearly equal to it, so single frames at random would show nothing.

    Raises:
        ReadError: No frame has labels.

    Example:
        >>> from pathlib import Path
        >>> from amseg_keras.datasets import LabelledFrame
        >>> frames = tuple(LabelledFrame(f"{k}.tif", f"{k}.png", "shot", k) for k in range(5))
        >>> split, how = split_for_tuning(Dataset(Path("data"), ("gas", "melt"), frames))
        >>> [frame.split for frame in split.frames], how
        (['train', 'train', 'train', 'train', 'validation'], 'the last fifth of each sequence')
    """
    labelled = tuple(frame for frame in data.frames if frame.label is not None)
    if not labelled:
        raise ReadError(f"{data.folder}: has no labelled frame; fine-tuning needs one at least")
    if len(labelled) == 1:
        both = [replace(labelled[0], split=name) for name in ("train", "validation")]
        return replace(data, frames=_unlabelled(data) + tuple(both)), ONE_FRAME
    split, how = _split(replace(data, frames=labelled))
    return replace(data, frames=_unlabelled(data) + split.frames), how


def _unlabelled(data: Dataset) -> tuple[LabelledFrame, ...]:
    return tuple(replace(frame, split=None) for frame in data.frames if frame.label is None)


def _split(data: Dataset) -> tuple[Dataset, str]:
    """Split labelled frames."""
    labelled = data.frames
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


def facilities_to_replay(class_names: Sequence[str]) -> dict[str, float]:
    """Choose the facilities whose simulated frames a fine-tuning mixes in, with their shares.

    Args:
        class_names: Classes of the data set.

    Returns:
        Shares by facility; empty if simulated labels would contradict the data set.

    Example:
        >>> facilities_to_replay(("background", "substrate", "keyhole"))
        {'esrf': 1.0, 'aps': 1.0}
        >>> facilities_to_replay(("background", "pore")), facilities_to_replay(("gas", "melt"))
        ({'hpdc': 1.0}, {})
    """
    if {"background", "substrate"} <= set(class_names):
        return {"esrf": 1.0, "aps": 1.0}
    # Castings have no gas: their background is the metal.
    return {"hpdc": 1.0} if set(class_names) == {"background", "pore"} else {}


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


HEAD = ("scores", "logits")
"""Layers with a channel for each class, or for each class of each pixel of a cell."""


def with_classes(
    model: keras.Model, old: Sequence[str], new: Sequence[str], policy: str = "float32"
) -> keras.Model:
    """Give a network a head for other classes; all other layers keep their weights.

    A class that both sets have, by name, keeps the weights of its channel. A new one begins with
    random weights, normalised as the mean of the old ones.

    Args:
        model: Any of `models.NETWORKS`.
        old: Class names of the preset, in the order of its channels.
        new: The class names to have.
        policy: Keras dtype policy of the new network.

    Example:
        >>> from amseg_keras.models import AMSegNet
        >>> model = AMSegNet(num_classes=3, base_filters=2)
        >>> changed = with_classes(model, ("gas", "plate", "pore"), ("pore", "crack"))
        >>> first = model.get_layer("scores").kernel[0, 0, :, 2]
        >>> bool((changed.get_layer("scores").kernel[0, 0, :, 0] == first)[0])
        True
    """
    made = from_config(_config(model, len(old), len(new)), policy)
    channels = [list(old).index(name) if name in old else None for name in new]
    for layer in made.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in HEAD:
            weights = [
                _chosen(before, random, channels)
                for before, random in zip(weights, layer.get_weights(), strict=True)
            ]
        layer.set_weights(weights)
    return made


def _config(model: keras.Model, old: int, new: int) -> dict[str, Any]:
    config: dict[str, Any] = copy.deepcopy(model.get_config())
    for layer in config["layers"]:
        name = layer["config"]["name"]
        if name == "scores":
            layer["config"]["filters"] = layer["config"]["filters"] // old * new
        if name in (*HEAD, "probabilities"):
            # It holds the shape with the old classes; Keras finds the new one by itself.
            layer["build_config"] = None
    return config


def _chosen(before: np.ndarray, random: np.ndarray, channels: list[int | None]) -> np.ndarray:
    """Channels of the old weights; of a new class, random kernels and the mean of vectors."""
    made = random.copy() if before.ndim > 1 else np.full(random.shape, before.mean(), before.dtype)
    # The classes of a pixel stand side by side.
    pixels = made.shape[-1] // len(channels)
    into = made.reshape(*made.shape[:-1], pixels, len(channels))
    of = before.reshape(*before.shape[:-1], pixels, -1)
    for new, old in enumerate(channels):
        if old is not None:
            into[..., new] = of[..., old]
    return made


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
    labelled = (frame for frame in data.frames if frame.label is not None)
    # A single labelled frame is in two splits.
    for frame in {frame.image: frame for frame in labelled}.values():
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
    labelled = [frame for frame in data.frames if frame.label is not None]
    rows = [(frame.image, frame.sequence, frame.split or "") for frame in labelled]
    with complete_or_absent(folder / SPLIT) as temporary:
        pd.DataFrame(rows, columns=_COLUMNS).to_csv(temporary, index=False)


def data_of_run(folder: Path, data: Path) -> Dataset:
    """Open a data set with the split of a fine-tuning.

    Args:
        folder: Folder of the fine-tuning.
        data: Folder of the data set.

    Raises:
        ReadError: There is no such run, it held no frame out, or the data set lacks a frame that
            it had.
    """
    try:
        rows = pd.read_csv(folder / SPLIT, keep_default_na=False, dtype=str)
        once = rows["image"].is_unique
        split = dict(zip(rows["image"], rows["split"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(
            f"{folder}: has no readable {SPLIT}; give the folder that amseg finetune wrote (-o)"
        ) from error
    if not once:
        raise ReadError(
            f"{folder}: was tuned to one frame and held none out; label other frames of the "
            "recording, and score them with: amseg evaluate --model PRESET --data FOLDER"
        )
    opened = open_dataset(data)
    # The other frames are in no split; the background of the motion channel is made of them, too.
    frames = tuple(replace(one, split=split.get(one.image) or None) for one in opened.frames)
    missing = len(split.keys() - {frame.image for frame in frames})
    if missing:
        raise ReadError(
            f"{data}: lacks {missing} of the {len(split)} frames that "
            f"{folder} was tuned with; give the data set as it was then"
        )
    return replace(opened, frames=frames)
