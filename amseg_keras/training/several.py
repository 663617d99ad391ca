"""Several trainings: with other seeds, to tell luck from merit, or of several networks at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets import Dataset, open_dataset
from amseg_keras.evaluation import evaluate
from amseg_keras.models.networks import NETWORKS
from amseg_keras.training.recipe import Recipe, Simulation
from amseg_keras.training.run import TrainedRun, train


def train_repeatedly(
    data: Dataset | Simulation | str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe,
    repeats: int,
    **options: Any,
) -> pd.DataFrame:
    """Train with `recipe.seed` and the seeds after it; the paper has 20 repeats (section 3.1).

    Args:
        data: As for `train`.
        out: Folder with a run for each seed, `seed_0` and so on, and `repeats.csv`.
        recipe: As for `train`.
        repeats: Number of trainings.
        **options: More arguments of `train`.

    Returns:
        A row for each seed, then `mean` and `sd` (of a sample): mean IoU, mean F1 and IoU of each
        class on the test frames, or on the validation frames if there is no test.
    """
    if not isinstance(data, Simulation | Dataset):
        data = open_dataset(data)
    rows = {}
    for seed in range(recipe.seed, recipe.seed + repeats):
        run = train(data, Path(out) / f"seed_{seed}", replace(recipe, seed=seed), **options)
        rows[f"seed {seed}"] = _scores(run, data)
    table = pd.DataFrame(rows).T
    summary = pd.concat([table, table.agg(["mean", "std"]).rename(index={"std": "sd"})])
    with complete_or_absent(Path(out) / "repeats.csv") as temporary:
        summary.to_csv(temporary)
    return summary


def _scores(run: TrainedRun, data: Dataset | Simulation) -> pd.Series:
    if isinstance(data, Simulation) or not data.of_split("test").frames:
        names = [name for name in run.best.index if "iou" in name or name == "mean_f1"]
        return run.best[names].astype(float)
    found = evaluate(run.preset, data, "test")
    scores = {"mean_iou": found.mean_iou, "mean_f1": found.mean_f1}
    return pd.Series(scores | {f"iou_{k}": v for k, v in found.classes["iou"].items()})


@dataclass(frozen=True)
class Student:
    """A network of a size.

    Attributes:
        network: Name out of `models.NETWORKS`.
        width: Number of filters of the first block; None for the network's own.

    Example:
        >>> str(Student.parse("amsegnet-lite:24")), str(Student.parse("unet"))
        ('amsegnet-lite-24', 'unet')
    """

    network: str
    width: int | None = None

    @classmethod
    def parse(cls, text: str) -> Student:
        """Read NAME or NAME:WIDTH.

        Raises:
            ValueError: There is no such network, or the width is no whole number above 0.
        """
        name, _, width = text.partition(":")
        if name not in NETWORKS:
            raise ValueError(f"{name!r} is no network; there are {', '.join(NETWORKS)}")
        if width and not (width.isdecimal() and int(width)):
            raise ValueError(f"{text!r} has no width, such as {name}:24")
        return cls(name, int(width) if width else None)

    def __str__(self) -> str:
        return self.network + ("" if self.width is None else f"-{self.width}")


def train_students(
    data: Dataset | Simulation | str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe,
    students: Sequence[Student],
    **options: Any,
) -> dict[str, TrainedRun]:
    """Train several networks on the same frames.

    The networks learn one after the other. The recordings are simulated for the first network and
    read by the others, and so are the batches with the words of a teacher if `kept_epochs` keeps
    them.

    Args:
        data: As for `train`.
        out: Folder with a run for each student, named as the student.
        recipe: As for `train`; its network and width are not looked at.
        students: The networks.
        **options: Of `train`.

    Returns:
        Run of each student by its name.
    """
    shared = options.pop("store", None)
    store = Path(out) / "recordings" if shared is None else Path(shared)
    runs = {}
    for student in students:
        own = replace(recipe, network=student.network, width=student.width)
        runs[str(student)] = train(data, Path(out) / str(student), own, store=store, **options)
    if shared is None:
        shutil.rmtree(store, ignore_errors=True)
    return runs
