"""Count the frames and pixels of a data set, and split it into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import SPLITS, Dataset
from amseg_keras.read import ReadError

GROUPS = ("material", "facility", "process", "split", "sequence")
WEIGHTS = ("median-frequency", "inverse-frequency")
_UNKNOWN = "not given"


def count_frames(data: Dataset, by: str = "material") -> pd.DataFrame:
    """Count the frames of each material (figure 2c), facility, process, split or sequence.

    Args:
        by: Name out of `GROUPS`.

    Returns:
        A row for each value, largest first: `frames`, `labelled` and `sequences`.

    Example:
        >>> from pathlib import Path
        >>> from amseg_keras.datasets import LabelledFrame
        >>> frames = tuple(LabelledFrame(f"{k}.tif", None, "s", k, material="Ti64") for k in (1, 2))
        >>> count_frames(Dataset(Path("data"), ("gas", "melt"), frames))
                  frames  labelled  sequences
        material
        Ti64           2         0          1
    """
    if by not in GROUPS:
        raise ValueError(f"by is {by!r}, it must be one of {', '.join(GROUPS)}")
    rows = pd.DataFrame(
        {
            by: [getattr(frame, by) or _UNKNOWN for frame in data.frames],
            "labelled": [frame.label is not None for frame in data.frames],
            "name": [frame.sequence for frame in data.frames],
        }
    )
    table = rows.groupby(by).agg(
        frames=("name", "size"), labelled=("labelled", "sum"), sequences=("name", "nunique")
    )
    return table.sort_values("frames", ascending=False, kind="stable")


def count_pixels(data: Dataset, advance: Callable[[], object] | None = None) -> pd.DataFrame:
    """Count the pixels of each class in each labelled frame; one label is in memory at a time.

    Returns:
        A row for each labelled frame, named by its label file: a column for each class and
        `ignore`.

    Raises:
        ReadError: A label cannot be read or holds an id that has no name.
    """
    files, rows = [], []
    for frame in data.frames:
        if frame.label is None:
            continue
        counts = np.bincount(data.labels(frame).ravel(), minlength=256)
        if unknown := unknown_ids(counts, len(data.class_names)):
            raise ReadError(
                f"{data.folder / frame.label}: holds the class id {min(unknown)}, but there are "
                f"{len(data.class_names)} classes; see: amseg dataset validate"
            )
        files.append(frame.label)
        rows.append([*counts[: len(data.class_names)], counts[IGNORE]])
        if advance is not None:
            advance()
    columns = [*data.class_names, "ignore"]
    return pd.DataFrame(np.array(rows, np.int64).reshape(-1, len(columns)), files, columns)


def class_shares(pixels: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of each class in all labelled pixels (figure 2d), "ignore" left out.

    Args:
        pixels: Pixels of each class, from `count_pixels`.

    Returns:
        A row for each class: `pixels`, `share` (0 to 1) and `frames`, those that show it.

    Example:
        >>> class_shares(pd.DataFrame({"gas": [6, 9], "melt": [2, 3], "ignore": [4, 0]}))
               pixels  share  frames
        class
        gas        15   0.75       2
        melt        5   0.25       2
    """
    classes = pixels.drop(columns="ignore")
    total = classes.sum()
    # Without a labelled pixel every share is 0, not undefined.
    shares = total / max(int(total.sum()), 1)
    table = pd.DataFrame({"pixels": total, "share": shares, "frames": (classes > 0).sum()})
    return table.rename_axis("class")


def class_weights(pixels: pd.DataFrame, kind: str = "median-frequency") -> dict[str, float]:
    """Compute weights that make rare classes count in a loss.

    With n_c pixels of class c, N pixels of all classes (without "ignore") and N_c pixels in the
    frames that show c:

    - ``"median-frequency"``: f_c = n_c / N_c, w_c = median(f) / f_c (Eigen and Fergus, ICCV
      2015). A class that is rare because few frames show it is not raised for that.
    - ``"inverse-frequency"``: w_c = N / (K n_c) with K classes, scikit-learn's "balanced".

    A class without a pixel has weight 0 and is left out of the median and of K.

    Args:
        pixels: Pixels of each class from `count_pixels`; count the training split.
        kind: Name out of `WEIGHTS`.

    Returns:
        Weight of each class by name, in the order of the ids.

    Example:
        >>> pixels = pd.DataFrame({"gas": [6, 9], "melt": [2, 3], "pore": 0, "ignore": [4, 0]})
        >>> class_weights(pixels, "inverse-frequency")
        {'gas': 0.6666666666666666, 'melt': 2.0, 'pore': 0.0}
    """
    if kind not in WEIGHTS:
        raise ValueError(f"kind is {kind!r}, it must be one of {', '.join(WEIGHTS)}")
    classes = pixels.drop(columns="ignore")
    of_class = classes.sum().to_numpy(float)
    in_frame = classes.sum(axis=1).to_numpy(float)
    present = of_class > 0
    weights = np.zeros(len(of_class))
    if present.any() and kind == "inverse-frequency":
        weights[present] = of_class.sum() / (present.sum() * of_class[present])
    elif present.any():
        shown_in = in_frame @ (classes.to_numpy() > 0)
        frequency = of_class[present] / shown_in[present]
        weights[present] = np.median(frequency) / frequency
    return dict(zip(classes.columns, weights.tolist(), strict=True))


def unknown_ids(counts: np.ndarray, classes: int) -> dict[int, int]:
    """Count the pixels of each id that is neither a class nor "ignore".

    Args:
        counts: Pixels of each id from 0 to 255.

    Example:
        >>> unknown_ids(np.bincount([0, 1, 7, 7, 255], minlength=256), 2)
        {7: 2}
    """
    present = np.flatnonzero(counts[:IGNORE])
    return {int(number): int(counts[number]) for number in present if number >= classes}


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
    """Distribute frames over the splits 4:1:1; of three frames or more, each split gets one."""
    if frames < len(SPLITS):
        return dict.fromkeys(SPLITS, 0) | {"train": frames}
    each = max(1, round(frames * SHARES["test"] / sum(SHARES.values())))
    return {"train": frames - 2 * each, "validation": each, "test": each}
