"""Hold the result of an evaluation: counts of pixels, and their scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.frames import without_background
from amseg_keras.datasets.statistics import GROUPS
from amseg_keras.json_values import json_value
from amseg_keras.metrics.scores import f1_per_class, iou_per_class
from amseg_keras.pretrained import PresetInfo

BOUNDARY_TOLERANCE_PX = 2
"""A boundary pixel counts as met if the other boundary is no farther than this."""

_UNKNOWN = "not given"


@dataclass(frozen=True, eq=False)
class FrameCounts:
    """Counts of one frame, without pixels labelled 255.

    Attributes:
        frame: The frame.
        confusion: Pixels of each class that were found as each class, int64 `(truth, found)`.
        boundaries: Boundary pixels of each class: true ones, true ones that were found, found
            ones, found ones that are right; int64 `(classes, 4)`.
        pores: Numbers of pores: true ones, true ones that were found, found ones, found ones that
            are right; int64 `(4,)`, zeros for a network without a class "pore".

    Example:
        A frame in which 2 of 10 gas pixels were called melt:

        >>> counts = FrameCounts(
        ...     LabelledFrame("1.tif", "1.png", "shot", 1),
        ...     confusion=np.array([[8, 2], [0, 10]]),
        ...     boundaries=np.array([[4, 3, 4, 3], [4, 3, 4, 3]]),
        ...     pores=np.zeros(4, int),
        ... )
        >>> iou_per_class(counts.confusion).round(3)
        array([0.8  , 0.833])
    """

    frame: LabelledFrame
    confusion: np.ndarray
    boundaries: np.ndarray
    pores: np.ndarray


@dataclass(frozen=True)
class PoreScores:
    """Pores as things rather than pixels; when one counts as found: `metrics.matches.pore_matches`.

    Attributes:
        true: Pores in the labels.
        found: Pores that the network found.
        recall: Share of the true ones that were found, 0 to 1; NaN without any.
        precision: Share of the found ones that are right, 0 to 1; NaN without any.

    Example:
        Of 20 pores 16 were found; of the 18 that were called pore, 9 are none:

        >>> from pathlib import Path
        >>> from amseg_keras.preprocess import GreyScaling
        >>> frame = LabelledFrame("1.tif", "1.png", "shot", 1)
        >>> data = Dataset(Path("data"), ("metal", "pore"), (frame,))
        >>> info = PresetInfo("mine", data.class_names, GreyScaling(), None, "nothing")
        >>> none, pores = np.zeros((2, 4), int), np.array([20, 16, 18, 9])
        >>> counts = FrameCounts(frame, np.eye(2, dtype=int), none, pores)
        >>> Evaluation(info, data, None, (counts,)).pores
        PoreScores(true=20, found=18, recall=0.8, precision=0.5)
    """

    true: int
    found: int
    recall: float
    precision: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of a network on labelled frames, as in the paper's table 2.

    Every score is taken from counts summed over pixels, of the whole set or of a group, and never
    is a mean over frames: a frame that shows two pixels of keyhole does not weigh as much as one
    that shows two thousand.

    Means are over the classes that the labels show. A class of the network that no label shows
    has no score of its own to be averaged; where it is found, the class that was there suffers,
    and the confusion matrix shows it.

    Attributes:
        model: The network: its name, its classes, what it was trained on.
        data: The whole data set.
        split: "train", "validation" or "test"; None for all labelled frames.
        counts: Counts of every frame that was evaluated.
        errors: One sentence about every frame that could not be read.

    Example:
        >>> from pathlib import Path
        >>> from amseg_keras.preprocess import GreyScaling
        >>> frames = [LabelledFrame(f"{k}.tif", f"{k}.png", "shot", k) for k in (1, 2)]
        >>> data = Dataset(Path("data"), ("gas", "melt"), tuple(frames))
        >>> info = PresetInfo("mine", ("gas", "melt"), GreyScaling(), None, "nothing")
        >>> none, confusion = np.zeros((2, 4), int), np.array([[8, 2], [0, 10]])
        >>> counts = [FrameCounts(frame, confusion, none, none[0]) for frame in frames]
        >>> result = Evaluation(info, data, None, tuple(counts))
        >>> result.classes[["iou", "precision", "recall", "truth_pixels"]].round(3)
                 iou  precision  recall  truth_pixels
        class
        gas    0.800      1.000     0.8            20
        melt   0.833      0.833     1.0            20
        >>> round(result.mean_iou, 4), round(result.mean_f1, 4)
        (0.8167, 0.899)
    """

    model: PresetInfo
    data: Dataset
    split: str | None
    counts: tuple[FrameCounts, ...]
    errors: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names of the network, in the order of its ids."""
        return self.model.class_names

    @property
    def confusion(self) -> np.ndarray:
        """Pixels of each class that were found as each class, int64 `(truth, found)`."""
        return self._confusion(self.counts)

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes that the labels show; NaN where they show none."""
        return _mean(iou_per_class(self.confusion), self.confusion)

    @property
    def mean_f1(self) -> float:
        """Mean F1 over the classes that the labels show; NaN where they show none."""
        return _mean(f1_per_class(self.confusion), self.confusion)

    @property
    def classes(self) -> pd.DataFrame:
        """A row for each class of the network.

        `iou`, `f1`, `precision`, `recall` and `boundary_f1` (boundaries that lie within 2 px
        of each other; Csurka et al. 2013) from 0 to 1, NaN where there is nothing to divide by;
        `truth_pixels`, `found_pixels`, and `share` of the labelled pixels, 0 to 1. A class with
        `truth_pixels` 0 is in no mean.
        """
        confusion = self.confusion
        right, truth, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        boundaries = self._sum([one.boundaries for one in self.counts], (len(self.class_names), 4))
        table = pd.DataFrame(
            {
                "iou": iou_per_class(confusion),
                "f1": f1_per_class(confusion),
                "precision": _ratio(right, found),
                "recall": _ratio(right, truth),
                "boundary_f1": _boundary_f1(boundaries),
                "truth_pixels": truth,
                "found_pixels": found,
                "share": _ratio(truth, truth.sum()),
            },
            list(self.class_names),
        )
        return table.rename_axis("class")

    @property
    def frames(self) -> pd.DataFrame:
        """A row for each frame, in the order of the data set.

        `image`, `sequence`, `frame`, `split`, `facility`, `process`, `material`, labelled
        `pixels`, `mean_iou`, `mean_f1`, and `iou_` and `f1_` of each class.
        """
        rows = []
        for one in self.counts:
            about = {name: getattr(one.frame, name) for name in _ABOUT}
            scores = self._scores(one.confusion)
            rows.append(about | {"pixels": int(one.confusion.sum())} | scores)
        return pd.DataFrame(rows)

    @property
    def pores(self) -> PoreScores | None:
        """Scores of single pores; None if network or data set has no class "pore"."""
        if "pore" not in self.class_names or "pore" not in self.data.class_names:
            return None
        true, met, found, right = self._sum([one.pores for one in self.counts], (4,))
        recall, precision = float(_ratio(met, true)), float(_ratio(right, found))
        return PoreScores(int(true), int(found), recall, precision)

    @property
    def unlabelled(self) -> int:
        """Number of frames that were left out because they have no labels."""
        asked = self.data if self.split is None else self.data.of_split(self.split)
        return sum(frame.label is None for frame in asked.frames)

    def by(self, name: str) -> pd.DataFrame:
        """Return the scores of each material, sequence, facility, process or split.

        Returns:
            A row for each, the worst first: `frames`, `mean_iou`, `mean_f1` and `iou_` of each
            class, from the pixels of all its frames.

        Raises:
            ValueError: There is no such group.
        """
        if name not in GROUPS:
            raise ValueError(f"cannot group by {name!r}: give one of {', '.join(GROUPS)}")
        members: dict[str, list[FrameCounts]] = {}
        for one in self.counts:
            members.setdefault(getattr(one.frame, name) or _UNKNOWN, []).append(one)
        rows = []
        for group in members.values():
            scores = self._scores(self._confusion(group))
            kept = {key: value for key, value in scores.items() if not key.startswith("f1_")}
            rows.append({"frames": len(group), **kept})
        table = pd.DataFrame(rows, list(members))
        return table.sort_values("mean_iou", kind="stable").rename_axis(name)

    @property
    def without_background(self) -> int:
        """Number of frames whose motion channel was blank: their sequence is too short.

        0 for a network that sees frames alone.
        """
        if not self.model.channels.has_motion:
            return 0
        return without_background(self.data, [one.frame for one in self.counts])

    def worst(self, count: int) -> tuple[FrameCounts, ...]:
        """Return the labelled frames of the lowest mean IoU, the lowest first."""
        scores = self.frames["mean_iou"].dropna().sort_values(kind="stable")
        return tuple(self.counts[place] for place in scores.index[:count])

    def as_json(self) -> dict[str, Any]:
        """Return the result without its single frames, for JSON; a missing score is null."""
        result: dict[str, Any] = json_value(
            {
                "model": self.model.name,
                "trained_on": self.model.trained_on,
                "source": str(self.data.folder),
                "origin": self.data.origin,
                "split": self.split or "all",
                "frames": len(self.counts),
                "unlabelled_frames": self.unlabelled,
                "unreadable_frames": list(self.errors),
                "channels": list(self.model.channels.names),
                "frames_without_background": self.without_background,
                "mean_iou": self.mean_iou,
                "mean_f1": self.mean_f1,
                "classes": self.classes.to_dict("index"),
                "pores": None if self.pores is None else asdict(self.pores),
                "confusion": {
                    "classes": list(self.class_names),
                    "rows": "truth",
                    "pixels": self.confusion.tolist(),
                },
                "by": {name: self.by(name).to_dict("index") for name in GROUPS},
            }
        )
        return result

    def _confusion(self, counts: Iterable[FrameCounts]) -> np.ndarray:
        size = len(self.class_names)
        return self._sum([one.confusion for one in counts], (size, size))

    def _scores(self, confusion: np.ndarray) -> dict[str, float]:
        iou, f1 = iou_per_class(confusion), f1_per_class(confusion)
        scores = {"mean_iou": _mean(iou, confusion), "mean_f1": _mean(f1, confusion)}
        for kind, values in (("iou", iou), ("f1", f1)):
            for name, value in zip(self.class_names, values.tolist(), strict=True):
                scores[f"{kind}_{name}"] = value
        return scores

    @staticmethod
    def _sum(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        return np.sum(arrays, axis=0) if arrays else np.zeros(shape, np.int64)


_ABOUT = ("image", "sequence", "frame", "split", "facility", "process", "material")


def _mean(scores: np.ndarray, confusion: np.ndarray) -> float:
    """Average over the classes that the truth shows."""
    shown = scores[confusion.sum(axis=1) > 0]
    return float(shown.mean()) if shown.size else math.nan


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
    )


def _boundary_f1(boundaries: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of recall and precision of the boundary."""
    true, met, found, right = boundaries.T.astype(float)
    # Without a boundary on one side nothing is met on the other: 0, not undefined.
    recall, precision = (np.nan_to_num(_ratio(*pair)) for pair in ((met, true), (right, found)))
    both = np.where(true + found > 0, recall + precision, np.nan)
    return np.where(both == 0, 0.0, 2 * recall * precision / np.where(both == 0, 1.0, both))
