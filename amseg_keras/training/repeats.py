"""The same training several times, as the paper did to tell luck from merit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets import Dataset, open_dataset
from amseg_keras.evaluation import evaluate
from amseg_keras.training.feed.simulation import Simulation
from amseg_keras.training.recipe import Recipe
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
        repeats: How many times.
        **options: Of `train`.

    Returns:
        A row for each seed, then `mean` and `sd` (of a sample): mean IoU, mean F1 and IoU of each
        class on the test frames, or on those of the validation where there is no test.
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
