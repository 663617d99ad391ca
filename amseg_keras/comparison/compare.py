"""Train, evaluate and time several networks alike; write the tables and plots of the comparison."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.backend import best_precision, hardware
from amseg_keras.comparison.timing import Timing, summarise_times, time_networks
from amseg_keras.datasets import BatchOptions, Dataset, batches, open_dataset
from amseg_keras.datasets.dataset import SPLITS
from amseg_keras.datasets.statistics import SPLIT_BY
from amseg_keras.evaluation import Evaluation, evaluate
from amseg_keras.json_values import json_value
from amseg_keras.models.cost import macs, trainable_parameters
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import OF_THE_PAPER, TITLES
from amseg_keras.outputs import write_json
from amseg_keras.report.learning import comparison_markdown, draw_comparison
from amseg_keras.segment import Segmenter, from_pretrained
from amseg_keras.training import Progress, Recipe, TrainedRun, train
from amseg_keras.versions import versions

RUNS, TIMES = "runs", "times.json"

Tell = Callable[[str, Progress | None], None]
"""Called with what is being done, and while a network is trained with how far that has come."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Networks on one data set: the paper's Table 2 and Figure 4.

    Attributes:
        table: A row for each network. `network`; `trainable_parameters`; `gmac`, multiply-
            accumulates of a frame of 256 x 512 pixels in 1e9; `mean_iou`, `f1` (mean over the
            classes) and `iou_<class>` on the test frames, 0 to 1, NaN for a class that is neither
            there nor found; `training_s_per_frame`, seconds of a training step for each of its
            frames; `segmentation_ms_per_frame`; `training_ratio` and `segmentation_ratio`, both
            times in units of U-Net's, NaN without it.
        curves: A row for each epoch of each network: `network`, `epoch` (from 0), `minutes` of
            training until its end, `mean_iou` on the validation frames.
        conditions: Data, recipe, timing, precision, hardware, versions and date, as JSON has them.
        errors: Test frames that could not be read and count nowhere, a sentence each.

    Example:
        >>> table = pd.DataFrame({"network": ["amsegnet", "unet"], "mean_iou": [0.9, 0.8]})
        >>> curves = pd.DataFrame({
        ...     "network": ["amsegnet", "amsegnet", "unet"], "epoch": [0, 1, 0],
        ...     "minutes": [5.0, 10.0, 20.0], "mean_iou": [0.7, 0.85, 0.6],
        ... })
        >>> found = Comparison(table, curves, conditions={"precision": "float32"})
        >>> found.table.set_index("network")["mean_iou"].idxmax()
        'amsegnet'
        >>> found.curves[found.curves["mean_iou"] > 0.5].groupby("network")["minutes"].min()
        network
        amsegnet     5.0
        unet        20.0
        Name: minutes, dtype: float64
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    conditions: dict[str, Any]
    errors: tuple[str, ...] = ()


def compare_networks(
    data: Dataset | str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    networks: Sequence[str] = OF_THE_PAPER,
    *,
    timing: Timing | None = None,
    progress: Tell = lambda what, training: None,
) -> Comparison:
    """Train networks on the same batches by the same recipe, evaluate them, and time them.

    An interrupted comparison continues with the next call: a trained network is not
    trained again, and a half-trained one continues from its checkpoint.

    Args:
        data: Data set with labelled frames in all three splits.
        out: Folder of the trainings (`runs/NETWORK`, see `train`) and of `times.json`.
        recipe: Recipe for all networks, whatever its `network`; defaults to the paper's.
        networks: Names out of `models.NETWORKS`, in the order of the table.
        timing: Timing after all trainings, with all networks in memory at once.
        progress: Function called at every stage and training step.

    Raises:
        TrainingError: `out` holds trainings by another recipe, the memory is not enough, or a loss
            became NaN.
        ReadError: A split is empty, or frames cannot be read.
        ValueError: No network, one twice, or an unknown one.

    Example:
        Six simulated frames, one network and a single epoch, where there should be many of each:

        >>> import tempfile
        >>> from amseg_keras.datasets.statistics import split_dataset
        >>> from amseg_keras.runs.simulate import SimulateSettings, simulate_dataset
        >>> folder = Path(tempfile.mkdtemp())
        >>> settings = SimulateSettings("aps", frames=6, sequences=1, shape=(64, 96))
        >>> frames = split_dataset(simulate_dataset(folder / "frames", settings), "time")
        >>> recipe = Recipe(epochs=1, batch_size=4, shape=(64, 96))
        >>> timing = Timing(rounds=1, shape=(64, 96))
        >>> found = compare_networks(
        ...     frames, folder / "comparison", recipe, ["amsegnet-lite"], timing=timing
        ... )
        >>> found.table[["network", "trainable_parameters"]]
                 network  trainable_parameters
        0  amsegnet-lite                529681
    """
    opened = data if isinstance(data, Dataset) else open_dataset(data)
    timing = timing or Timing()
    if not networks or len(set(networks)) < len(networks):
        raise ValueError(
            f"networks are {', '.join(networks) or 'none'}: give each once, at least 1"
        )
    recipes = {name: replace(recipe or Recipe(), network=name) for name in networks}
    # Asked for here, so that missing test frames are known before hours of training.
    batches(opened, "test", 1, None, 0, BatchOptions(skip_unlabelled=True))
    rows, curves = [], []
    errors: list[str] = []
    for name, own in recipes.items():
        progress(f"training {TITLES[name]}", None)
        run = _train(opened, Path(out) / RUNS / name, own, progress)
        progress(f"evaluating {TITLES[name]}", None)
        segmenter = from_pretrained(run.preset)
        evaluation = evaluate(segmenter, opened, "test")
        rows.append({"network": name} | _costs(segmenter) | _scores(evaluation))
        curves.append(_curve(name, run))
        errors += evaluation.errors
        progress(f"{TITLES[name]}: mean IoU {evaluation.mean_iou:.3f} on the test frames", None)
        del segmenter, evaluation
        # Layers hold each other, so that the memory of a network is not free by itself.
        gc.collect()
    conditions = _conditions(opened, recipes[networks[0]], timing)
    times = _times(Path(out) / TIMES, recipes, timing, conditions, progress)
    table = pd.DataFrame(rows).join(summarise_times(times), on="network")
    conditions["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    unread = tuple(dict.fromkeys(errors))
    return Comparison(table, pd.concat(curves, ignore_index=True), conditions, unread)


def _train(data: Dataset, folder: Path, recipe: Recipe, progress: Tell) -> TrainedRun:
    what = f"training {TITLES[recipe.network]}"
    return train(data, folder, recipe, resume=True, progress=lambda done: progress(what, done))


def _costs(segmenter: Segmenter) -> dict[str, Any]:
    return {
        "trainable_parameters": trainable_parameters(segmenter.model),
        "gmac": macs(segmenter.model) / 1e9,
    }


def _scores(evaluation: Evaluation) -> dict[str, float]:
    classes = {f"iou_{name}": float(iou) for name, iou in evaluation.classes["iou"].items()}
    return {"mean_iou": evaluation.mean_iou, "f1": evaluation.mean_f1, **classes}


def _curve(name: str, run: TrainedRun) -> pd.DataFrame:
    curve = run.history[["epoch", "minutes", "mean_iou"]].copy()
    curve.insert(0, "network", name)
    return curve


def _times(
    path: Path,
    recipes: dict[str, Recipe],
    timing: Timing,
    conditions: dict[str, Any],
    progress: Tell,
) -> pd.DataFrame:
    """Read the times in the file, if they fit these networks and this machine, or measure them."""
    asked = {"networks": list(recipes), "classes": len(conditions["data"]["classes"])} | {
        name: conditions[name] for name in ("timing", "precision", "hardware", "versions")
    }
    asked = json.loads(json.dumps(asked))
    if (found := _read(path)).get("asked") == asked:
        return pd.DataFrame(found["times"])
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(conditions["precision"])
    try:
        models = {name: NETWORKS[name](num_classes=asked["classes"]) for name in recipes}
        times = time_networks(
            models,
            timing,
            next(iter(recipes.values())),
            lambda done, rounds: progress(f"timing all networks: round {done} of {rounds}", None),
        )
    finally:
        keras.config.set_dtype_policy(policy)
    write_json(path, {"asked": asked, "times": times.to_dict("records")})
    return times


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _conditions(data: Dataset, recipe: Recipe, timing: Timing) -> dict[str, Any]:
    shared = asdict(recipe)
    del shared["network"]
    return {
        "data": {
            "folder": str(data.folder),
            "origin": data.origin,
            "split_by": data.other.get(SPLIT_BY),
            "classes": list(data.class_names),
            "frames": {split: len(data.of_split(split).frames) for split in SPLITS},
        },
        "recipe": shared,
        "timing": asdict(timing),
        "precision": best_precision() if recipe.precision == "auto" else recipe.precision,
        "hardware": hardware(),
        "versions": versions(),
    }


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str]) -> None:
    """Write tables and plots.

    networks.csv    the table, all digits
    networks.md     the same to be read, with the conditions
    networks.json   the same with the conditions, null for a score that is not there
    curves.csv      mean IoU on the validation frames after each epoch
    networks.png    IoU against segmentation time, per class, and against training time

    Args:
        comparison: Comparison from `compare_networks`.
        folder: Made if it is not there; earlier files of these names are replaced.

    Example:
        >>> import tempfile
        >>> from dataclasses import asdict
        >>> from amseg_keras.comparison import Timing
        >>> from amseg_keras.training import Recipe
        >>> table = pd.DataFrame([{
        ...     "network": "unet", "trainable_parameters": 31389839, "gmac": 109.0,
        ...     "mean_iou": 0.8, "f1": 0.9, "iou_pore": 0.7, "training_s_per_frame": 3.0,
        ...     "segmentation_ms_per_frame": 300.0, "training_ratio": 1.0,
        ...     "segmentation_ratio": 1.0,
        ... }])
        >>> curves = pd.DataFrame([{"network": "unet", "epoch": 0, "minutes": 20.0,
        ...                         "mean_iou": 0.6}])
        >>> frames = {"train": 80, "validation": 10, "test": 10}
        >>> conditions = {
        ...     "data": {"folder": "esrf", "origin": "", "split_by": "sequence", "frames": frames},
        ...     "recipe": asdict(Recipe()), "timing": asdict(Timing()), "precision": "float32",
        ...     "hardware": "2 cores", "versions": {"keras": "3.15.1"},
        ... }
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_comparison(Comparison(table, curves, conditions), folder)
        >>> sorted(path.name for path in folder.iterdir())
        ['curves.csv', 'networks.csv', 'networks.json', 'networks.md', 'networks.png']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "networks.csv", comparison.table)
    _write_csv(folder / "curves.csv", comparison.curves)
    with complete_or_absent(folder / "networks.md") as temporary:
        text = comparison_markdown(comparison.table, comparison.conditions)
        temporary.write_text(text, "utf-8")
    draw_comparison(comparison.table, comparison.curves, folder / "networks.png")
    write_json(
        folder / "networks.json",
        {
            "networks": json_value(comparison.table.to_dict("records")),
            "conditions": comparison.conditions,
            "unreadable_frames": list(comparison.errors),
        },
    )


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with complete_or_absent(path) as temporary:
        table.to_csv(temporary, index=False)
