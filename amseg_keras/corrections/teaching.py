"""Teach a network from corrected frames: a short fine-tuning with replay, and its scores."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from amseg_keras.classes import CLASS_NAMES, MELT_POOL
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import SPLITS, write_frame
from amseg_keras.evaluation import Evaluation, evaluate
from amseg_keras.preprocess.background_policy import BACKGROUND_FRAMES, SHORTEST
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import read_info
from amseg_keras.read import ReadError
from amseg_keras.segment import Segmenter, from_pretrained
from amseg_keras.training import Progress, Recipe, Simulation
from amseg_keras.training.derived_examples import translation
from amseg_keras.transfer import FINE_TUNING, fine_tune
from amseg_keras.transfer.prepare import SHARE, facilities_to_replay

TEACHING = replace(
    FINE_TUNING, epochs=10, patience=4, shape=(192, 256), learning_rate=1e-4, averaging=0.9
)
"""The default recipe of `teach`: a minute or two for a small network on two cores."""

REPLAYED = "replayed"
"""Beginning of the names of simulated sequences."""

RECORDINGS = 4
"""Simulated recordings of each facility to train on, and so many to stop by, and to score on."""

REPLAYED_FRAMES, REPLAYED_LABELS = 24, (8, 16)
"""Frames of a simulated recording, and those that have labels."""

SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the change of the weights that are tried."""

FORGOTTEN = 0.005
"""Mean IoU that a teaching may cost on simulated frames which it does not see."""

GROUPS = ("corrected, learned", "corrected, held out", "other recordings, simulated")
"""Groups of frames that are scored before and after."""


@dataclass(frozen=True)
class TeachProgress:
    """Progress of a teaching.

    Attributes:
        stage: Present step in words, such as `scoring`.
        share: Part that is done, from 0 to 1.
        seconds_left: Estimated time to the end of the training; None while it is not known.

    Example:
        >>> TeachProgress("training, epoch 2 of 14", 0.3, 50.0).share
        0.3
    """

    stage: str
    share: float
    seconds_left: float | None = None


@dataclass(frozen=True)
class Taught:
    """Result of a teaching.

    Attributes:
        preset: Folder of the tuned network, as `from_pretrained` reads it.
        scores: Intersection over union: a row for each group of `GROUPS` and each class that its
            labels have, with the columns `frames`, `group`, `class`, `before` and `after`; `mean`
            is the mean of the classes.
        seconds: Time of the whole teaching.

    Example:
        >>> scores = pd.DataFrame(
        ...     [("corrected, learned", 3, "mean", 0.41, 0.83)],
        ...     columns=["group", "frames", "class", "before", "after"],
        ... )
        >>> Taught(Path("tuned/preset"), scores, 80.0).mean("corrected, learned")
        (0.41, 0.83)
    """

    preset: Path
    scores: pd.DataFrame
    seconds: float

    def mean(self, group: str) -> tuple[float, float] | None:
        """Give the mean score of a group before and after; None if the group has no frames.

        Args:
            group: One of `GROUPS`.
        """
        rows = self.scores[(self.scores["group"] == group) & (self.scores["class"] == "mean")]
        if rows.empty:
            return None
        return float(rows["before"].iloc[0]), float(rows["after"].iloc[0])


def teach(
    data: Dataset,
    out: str | os.PathLike[str],
    start_from: str | os.PathLike[str] = "amsegnet-movie",
    *,
    recipe: Recipe = TEACHING,
    replay: bool = True,
    progress: Callable[[TeachProgress], None] = lambda progress: None,
) -> Taught:
    """Fine-tune a preset on corrected frames, beside simulated ones, and score it.

    Two corrected frames are the least: one is held out to choose the best epoch by. Of three or
    more, every fifth is held out, at least one. Half of each batch is simulated, so that the
    network does not forget what other recordings look like; if simulated frames that were not
    trained on lose more than `FORGOTTEN` nevertheless, a part of the change is taken back. There
    are no simulated frames where their labels would contradict the classes of the preset.

    Args:
        data: Corrected frames, from `Corrections.dataset`.
        out: New or empty folder; `out/tuned/preset` will be the network.
        start_from: Preset, folder or `owner/repo` of the network to begin with.
        recipe: Epochs, rate and windows.
        replay: Train on simulated frames too.
        progress: Function that is called after every step; its exceptions end the teaching.

    Returns:
        The tuned preset, and its scores before and after.

    Raises:
        ReadError: There are fewer than two corrected frames, or they cannot be read.
        TrainingError: The folder holds another training, or the training fails.
        PresetError: `start_from` cannot be found.

    Example:
        >>> import tempfile
        >>> from amseg_keras.corrections import Corrections, teach
        >>> kept = Corrections(tempfile.mkdtemp(), ("background", "substrate", "pore"))
        >>> try:
        ...     teach(kept.dataset, tempfile.mkdtemp())
        ... except ReadError as error:
        ...     print(str(error).partition(": ")[2])
        has 0 corrected frames, and teaching needs two; correct another frame
    """
    began = time.monotonic()
    out = Path(out)
    start = find_preset(start_from)
    info = read_info(start)
    learned, held_out = _divide(data)
    progress(TeachProgress("collecting the frames", 0.0))
    facilities = tuple(facilities_to_replay(info.class_names)) if replay else ()
    collected = _Collected(out / "frames", info.class_names, data)
    collected.take(data, learned, held_out)
    motion = info.channels.has_motion
    for number, facility in enumerate(facilities):
        progress(TeachProgress("simulating frames of other recordings", 0.02 + 0.03 * number))
        for at in range(RECORDINGS * len(SPLITS)):
            collected.simulate(facility, SPLITS[at % len(SPLITS)], at, motion)
    frames = collected.data()
    before = _scores(from_pretrained(start), frames)

    def told(done: Progress) -> None:
        share = done.step / max(done.steps, 1)
        stage = f"training, epoch {min(done.epoch + 1, done.epochs)} of {done.epochs}"
        progress(TeachProgress(stage, 0.15 + 0.79 * share, done.seconds_left))

    progress(TeachProgress("training", 0.15))
    mine, others = _apart(frames)
    run = fine_tune(
        mine, out / "tuned", start, recipe, mixed_with=others, gentle=True, progress=told
    )
    progress(TeachProgress("scoring", 0.95))
    tuned = from_pretrained(run.tuned.preset)
    if others is not None:
        hold_back(from_pretrained(start), tuned, others)
        tuned.save_pretrained(run.tuned.preset)
    after = _scores(tuned, frames)
    shutil.rmtree(collected.folder, ignore_errors=True)
    return Taught(run.tuned.preset, _joined(before, after), time.monotonic() - began)


def _divide(data: Dataset) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Choose the frames to learn and those to hold out, the latter from between the others."""
    labelled = [frame for frame in data.frames if frame.label is not None]
    if len(labelled) < 2:
        raise ReadError(
            f"{data.folder}: has {len(labelled)} corrected frame{'s' * (len(labelled) != 1)}, and "
            "teaching needs two; correct another frame"
        )
    count = max(1, round(len(labelled) / SHARE))
    chosen = {(2 * number + 1) * len(labelled) // (2 * count) for number in range(count)}
    held_out = [frame for at, frame in enumerate(labelled) if at in chosen]
    return [frame for at, frame in enumerate(labelled) if at not in chosen], held_out


class _Collected:
    """One data set of corrected and simulated frames, with the classes of the preset."""

    def __init__(self, folder: Path, class_names: tuple[str, ...], data: Dataset) -> None:
        self.folder, self._class_names = folder, class_names
        self._frames: dict[tuple[str, int], LabelledFrame] = {}
        self._origin, self._pixel_size_um = data.origin, data.pixel_size_um

    def take(
        self, data: Dataset, learned: Sequence[LabelledFrame], held_out: Sequence[LabelledFrame]
    ) -> None:
        """Copy corrected frames, and the frames of their recordings without labels."""
        ids = translation(data.class_names, self._class_names)
        split = {frame.image: "train" for frame in learned}
        split |= {frame.image: "validation" for frame in held_out}
        for frame in data.frames:
            labels = None if frame.label is None else ids[data.labels(frame)]
            about = replace(frame, split=split.get(frame.image))
            key = frame.sequence, frame.frame
            self._frames[key] = write_frame(self.folder, data.image(frame), labels, about)

    def simulate(self, facility: str, split: str, seed: int, motion: bool) -> None:
        """Render two frames of a simulated recording, and the frames of their background."""
        # The simulator needs OpenCV, which reading corrections does not.
        from amseg_keras.simulate import record

        # Liquid that is called substrate would teach a network to forget the melt pool.
        pool = MELT_POOL in self._class_names
        place = Simulation({facility: 1.0}, melt_pool=pool).place(facility)
        recording = record(place, REPLAYED_FRAMES, seed, shape=(192, 256), motion=motion)
        ids = translation((*CLASS_NAMES, MELT_POOL), self._class_names)
        around = spread(REPLAYED_FRAMES, max(BACKGROUND_FRAMES, SHORTEST))
        for number in sorted({*REPLAYED_LABELS, *around}):
            known = number in REPLAYED_LABELS
            name = f"{REPLAYED}-{facility}-{seed}"
            about = LabelledFrame("", None, name, number, split=split if known else None)
            mapped = ids[recording.labels(number, melt_pool=pool)] if known else None
            grey = recording.grey(number)
            self._frames[name, number] = write_frame(self.folder, grey, mapped, about)

    def data(self) -> Dataset:
        """Write `dataset.json`, and give the data set."""
        frames = tuple(self._frames[key] for key in sorted(self._frames))
        data = Dataset(self.folder, self._class_names, frames, self._pixel_size_um, self._origin)
        data.save()
        return data


def _apart(data: Dataset) -> tuple[Dataset, Dataset | None]:
    """Divide a data set into corrected frames and simulated ones; None if there are none."""
    parts = [
        tuple(one for one in data.frames if one.sequence.startswith(REPLAYED) == simulated)
        for simulated in (False, True)
    ]
    mine, others = (replace(data, frames=frames) for frames in parts)
    return mine, replace(others, origin="simulated recordings") if others.frames else None


def hold_back(start: Segmenter, tuned: Segmenter, others: Dataset) -> float:
    """Take back as much of the change of the weights as other recordings need (WiSE-FT).

    The weights half the way from the preset to the tuned network are a network too: most of what
    was learned is in the first half of the way, and most of what is forgotten in the second
    (Wortsman et al., CVPR 2022).

    Args:
        others: Simulated frames; those of the split "validation" are looked at.

    Returns:
        The share of the change that is kept: the largest of `SHARES` that costs these frames no
        more than `FORGOTTEN`, else the smallest.
    """
    old, new = start.model.get_weights(), tuned.model.get_weights()
    least = evaluate(start, others, split="validation").mean_iou - FORGOTTEN
    for share in SHARES:
        mixed = [one + share * (other - one) for one, other in zip(old, new, strict=True)]
        tuned.model.set_weights(mixed)
        now = evaluate(tuned, others, split="validation").mean_iou
        if now >= least:
            break
    return share


def _scores(segmenter: Segmenter, data: Dataset) -> dict[str, Evaluation]:
    """Score each group of frames."""
    found = {}
    for group in GROUPS:
        frames = tuple(
            frame if frame.label is None or _group(frame) == group else replace(frame, label=None)
            for frame in data.frames
        )
        if any(frame.label is not None for frame in frames):
            found[group] = evaluate(segmenter, replace(data, frames=frames), split=None)
    return found


def _group(frame: LabelledFrame) -> str | None:
    if frame.sequence.startswith(REPLAYED):
        return GROUPS[2] if frame.split == "test" else None
    return GROUPS[0] if frame.split == "train" else GROUPS[1]


def _joined(before: dict[str, Evaluation], after: dict[str, Evaluation]) -> pd.DataFrame:
    rows: list[tuple[str, int, str, float, float]] = []
    for group, old in before.items():
        new = after[group]
        there: Sequence[str] = [
            str(name)
            for name, pixels in zip(old.classes.index, old.confusion.sum(axis=1), strict=False)
            if pixels
        ]
        columns = [one.classes["iou"].fillna(0.0) for one in (old, new)]
        for name in there:
            one, other = (float(column[name]) for column in columns)
            rows.append((group, len(old.counts), name, one, other))
        means = [float(np.mean([column[name] for name in there])) for column in columns]
        rows.append((group, len(old.counts), "mean", means[0], means[1]))
    return pd.DataFrame(rows, columns=["group", "frames", "class", "before", "after"])
