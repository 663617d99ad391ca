"""Which frames are for training, for validation and for the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from amseg_keras.datasets.dataset import SPLITS, Dataset

SHARES: Mapping[str, int] = {"train": 4, "validation": 1, "test": 1}
"""The paper's (section 2.3)."""

WAYS = ("sequence", "frame", "time")
SPLIT_BY = "split_by"
"""Entry of `dataset.json` that says in which way the data set was split."""

_DRAWS = 32


class SplitError(ValueError):
    """A data set that cannot be split in the way asked for; the message says which way can."""


def split_dataset(data: Dataset, by: str = "sequence", seed: int = 0) -> Dataset:
    """Split a data set 4:1:1 into training, validation and test.

    Args:
        data: Frames; a split that they have is replaced.
        by: ``"sequence"``: a whole sequence is in one split, so that the test is on shots that
            were never seen; balanced by the number of frames. ``"frame"``: single frames at
            random, as the paper did; neighbours in a movie are nearly equal, so scores come out
            too good. ``"time"``: the first part of each sequence is for training, the next for
            validation, the last for the test.
        seed: Seed of the draw. The same frames and seed give the same split on every machine.

    Returns:
        The data set with `split` in every frame, and with how it was split in `other`. It is not
        saved.

    Raises:
        SplitError: There are too few sequences or frames for this way.

    Example:
        >>> from pathlib import Path
        >>> from amseg_keras.datasets import LabelledFrame
        >>> frames = tuple(LabelledFrame(f"images/{k}.tif", None, f"s{k}", 0) for k in range(6))
        >>> data = split_dataset(Dataset(Path("data"), ("gas", "melt"), frames))
        >>> [len(data.of_split(name).frames) for name in SPLITS]
        [4, 1, 1]
    """
    if by not in WAYS:
        raise ValueError(f"by is {by!r}, it must be one of {', '.join(WAYS)}")
    chosen = {"sequence": _by_sequence, "frame": _by_frame, "time": _by_time}[by](data, seed)
    counts = {name: chosen.count(name) for name in SPLITS}
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise SplitError(
            f"{data.folder}: too few frames to split by {by}: nothing is left for "
            f"{' and '.join(empty)}; add frames"
        )
    frames = tuple(replace(f, split=s) for f, s in zip(data.frames, chosen, strict=True))
    return replace(data, frames=frames, other={**data.other, SPLIT_BY: by, "split_seed": seed})


def _by_sequence(data: Dataset, seed: int) -> list[str]:
    sizes = {name: len(frames) for name, frames in sorted(data.sequences().items())}
    if len(sizes) < len(SPLITS):
        raise SplitError(
            f"{data.folder}: has {len(sizes)} sequence{'s' * (len(sizes) != 1)}, and splitting by "
            "sequence needs three; split each into blocks of time with: --by time"
        )
    generator = np.random.default_rng(seed)
    # One random order can leave a long sequence for the end, where it fits nowhere.
    draws = [_deal(sizes, list(generator.permutation(list(sizes)))) for _ in range(_DRAWS)]
    best = min(draws, key=lambda where: _imbalance(sizes, where))
    return [best[frame.sequence] for frame in data.frames]


def _deal(sizes: Mapping[str, int], order: Sequence[str]) -> dict[str, str]:
    """Give each sequence to the split that lacks most frames; none stays empty."""
    total = sum(sizes.values())
    lacking = {name: total * share / sum(SHARES.values()) for name, share in SHARES.items()}
    empty = list(SPLITS)
    where: dict[str, str] = {}
    for number, sequence in enumerate(order):
        open_splits = empty if len(order) - number == len(empty) else SPLITS
        # A split receives only while it lacks frames, so none overshoots by a whole sequence.
        split = max(open_splits, key=lambda name: lacking[name])
        where[str(sequence)] = split
        lacking[split] -= sizes[sequence]
        if split in empty:
            empty.remove(split)
    return where


def _imbalance(sizes: Mapping[str, int], where: Mapping[str, str]) -> float:
    lacking = {name: sum(sizes.values()) * s / sum(SHARES.values()) for name, s in SHARES.items()}
    for sequence, split in where.items():
        lacking[split] -= sizes[sequence]
    return max(abs(value) for value in lacking.values())


def _by_frame(data: Dataset, seed: int) -> list[str]:
    counts = _counts(len(data.frames))
    names = [name for name, count in counts.items() for _ in range(count)]
    return [str(name) for name in np.random.default_rng(seed).permutation(names)]


def _by_time(data: Dataset, seed: int) -> list[str]:
    where: dict[str, str] = {}
    for frames in data.sequences().values():
        blocks = [name for name, count in _counts(len(frames)).items() for _ in range(count)]
        where |= {frame.image: block for frame, block in zip(frames, blocks, strict=True)}
    return [where[frame.image] for frame in data.frames]


def _counts(frames: int) -> dict[str, int]:
    """Share frames out to the splits 4:1:1; from three frames on, each split gets one at least."""
    if frames < len(SPLITS):
        return dict.fromkeys(SPLITS, 0) | {"train": frames}
    each = max(1, round(frames * SHARES["test"] / sum(SHARES.values())))
    return {"train": frames - 2 * each, "validation": each, "test": each}
