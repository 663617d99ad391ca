"""Train a network from its first weights, or from the weights of a preset."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from amseg_keras.backend import best_precision, every_device, hardware
from amseg_keras.datasets import Dataset, open_dataset
from amseg_keras.json_values import json_value
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.pretrained import PresetInfo, find_preset
from amseg_keras.pretrained.preset import read_info, read_model, weights_digest, write_preset
from amseg_keras.training.derived_examples import DistilledExamples, KeptExamples, mixed_examples
from amseg_keras.training.examples import DatasetExamples, DatasetSource, Examples
from amseg_keras.training.first_weights import adds_channels, network_to_train
from amseg_keras.training.recipe import Phase, Progress, Recipe, Simulation, TrainingError
from amseg_keras.training.run_folder import RunFolder, run_card
from amseg_keras.training.trainer import Trainer
from amseg_keras.versions import versions


@dataclass(frozen=True)
class TrainedRun:
    """Results of a training.

    Attributes:
        folder: Folder of the run.
        preset: Folder of the best weights, as `from_pretrained` reads it.
        history: A row for each epoch: `epoch` (from 0), `phase`, `step` and `minutes` at its end,
            `learning_rate`, `loss` of the training; `val_loss`, `mean_iou`, `mean_f1`, `score` and
            `iou_<class>` on the validation frames, of the averaged weights.
        seconds: Duration of the training in s, without interruptions.

    Example:
        >>> history = pd.DataFrame({"epoch": [0, 1, 2], "score": [0.61, 0.83, 0.80]})
        >>> run = TrainedRun(Path("run"), Path("run/preset"), history, seconds=5400.0)
        >>> run.best.to_dict()
        {'epoch': 1.0, 'score': 0.83}
    """

    folder: Path
    preset: Path
    history: pd.DataFrame
    seconds: float

    @property
    def best(self) -> pd.Series:
        """The epoch with the highest score, whose weights are in the preset."""
        return self.history.loc[self.history["score"].fillna(-1).idxmax()]


def train(
    data: Dataset | Simulation | str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    mixed_with: Simulation | None = None,
    share: float = 0.5,
    start_from: str | os.PathLike[str] | None = None,
    without_motion: bool = False,
    teacher: str | os.PathLike[str] | None = None,
    kept_epochs: int | None = None,
    store: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> TrainedRun:
    """Train a network as the paper did (section 3.1), on a data set or on simulated frames.

    Interrupted at any moment, it goes on with `resume` from its last checkpoint, at most two
    minutes earlier, with the same state of the optimizer and the same batches.

    Args:
        data: A data set or its folder, with the splits "train" and "validation"; or a
            `Simulation`.
        out: Folder of the run; see `training.run_folder` for what is in it.
        recipe: Recipe of the training; defaults to the paper's.
        mixed_with: Simulated frames beside the frames of a data set, so that a network that learns
            a few real frames forgets nothing else.
        share: Share of the simulated frames in each batch.
        start_from: Preset with the first weights; random weights by default. The training keeps
            the preset's channels and grey levels. If the recipe adds channels, the new channels
            begin with weights of zero, and the training takes the recipe's grey levels.
        without_motion: Leave out the motion channel of `start_from`, so that the network begins as
            that preset answers for single frames.
        teacher: Preset of a trained network whose probabilities are learned besides the labels.
        kept_epochs: Number of epochs whose batches are kept on disk and come again: for a simulator
            or a teacher that is slower than the training itself.
        store: Folder of simulated recordings and kept batches. Trainings of the same simulation
            and seed share them there, so that several networks cost one simulation. By default
            they are in `out`, and the recordings are deleted at the end.
        resume: Go on with the training that is in `out`; start it if there is none.
        progress: Function called after each step and epoch.

    Returns:
        Results of the training. `from_pretrained(run.preset)` segments with the best weights.

    Raises:
        TrainingError: `out` holds another training, `start_from` is another network, the teacher
            has other classes, the memory is not enough, or the loss became NaN.
        ReadError: Frames or labels cannot be read, or a split is empty.
        PresetError: `start_from` or `teacher` cannot be found.

    Example:
        Two simulated frames in place of a folder of labelled ones, and a single step:

        >>> import tempfile
        >>> from amseg_keras import from_pretrained
        >>> frames = Simulation(frames=2, crop=(64, 96), validation_frames=1)
        >>> recipe = Recipe(network="amsegnet-lite", width=4, epochs=1, batch_size=2)
        >>> run = train(frames, Path(tempfile.mkdtemp()) / "run", recipe)
        >>> len(run.history), from_pretrained(run.preset).model.name
        (1, 'amsegnet_lite')
    """
    recipe = recipe or Recipe()
    start = None if start_from is None else find_preset(start_from)
    info = None if start is None else read_info(start)
    if without_motion:
        if info is None or not info.channels.has_motion:
            raise TrainingError("without_motion needs start_from, a preset with a motion channel")
        info = replace(info, channels=Channels(("frame",)))
        recipe = replace(recipe, channels=info.channels.names)
    elif info is not None and adds_channels(recipe.channels, info):
        channels, scaling = Channels(recipe.channels), GreyScaling(recipe.grey_levels)
        info = replace(info, channels=channels, scaling=scaling)
    elif info is not None:
        recipe = replace(recipe, channels=info.channels.names)
    if info is not None and isinstance(data, Simulation):
        known = info.class_names
        if data.class_names[: len(known)] == known:
            info = replace(info, class_names=data.class_names)
    folder = Path(out) / "recordings" if store is None else Path(store)
    examples = make_examples(data, recipe, info, mixed_with, share, folder)
    if start is not None:
        # Refuse a preset of another network before the run's folder is begun.
        network_to_train(recipe, examples.class_names, start)
    if teacher is not None:
        examples = _distilled(examples, find_preset(teacher))
    if kept_epochs is not None:
        batches = Path(out) / "batches"
        if store is not None:
            batches = Path(store) / f"batches-{_batches_key(recipe, examples)}"
        examples = KeptExamples(examples, kept_epochs, batches)
    asked: dict[str, Any] = {
        "recipe": asdict(recipe),
        "data": examples.describe(),
        "start_from": None if start is None else weights_digest(start),
    }
    if without_motion:
        asked["without_motion"] = True
    run = RunFolder(Path(out), asked)
    phases = (Phase(recipe.epochs, recipe.learning_rate),)
    network = partial(network_to_train, recipe, examples.class_names, start)
    plan = Plan(run, examples, recipe, phases, network)
    try:
        trained = carry_out(plan, resume, progress)
    finally:
        examples.close()
    if store is None:
        shutil.rmtree(folder, ignore_errors=True)
    return trained


@dataclass(frozen=True)
class Plan:
    """A training that is to be.

    Attributes:
        run: Folder of the run.
        examples: What on.
        recipe: Recipe of the training.
        phases: Phases in their order.
        network: Makes the network, with the weights to start from.
    """

    run: RunFolder
    examples: Examples
    recipe: Recipe
    phases: tuple[Phase, ...]
    network: Callable[[], keras.Model]


def carry_out(
    plan: Plan,
    resume: bool,
    progress: Callable[[Progress], None],
    before: Callable[[Trainer], None] = lambda trainer: None,
) -> TrainedRun:
    """Train a network in a run folder: what `train` and `fine_tune` share.

    Args:
        plan: Network, examples and recipe of the training.
        resume: Go on with what is there.
        progress: Function called after each step.
        before: Called before the first step of a training that begins or goes on.
    """
    run, examples, recipe = plan.run, plan.examples, plan.recipe
    facts = {
        "versions": versions(),
        "precision": best_precision() if recipe.precision == "auto" else recipe.precision,
        "hardware": hardware(),
        "trained_on": examples.trained_on,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    with run.claimed():
        record = run.begin(facts, resume)
        if record is None:
            record = _train(plan, facts, progress, before)
    history = pd.read_csv(run.folder / "epochs.csv")
    return TrainedRun(run.folder, run.preset, history, record["seconds"])


def _train(
    plan: Plan,
    facts: dict[str, Any],
    progress: Callable[[Progress], None],
    before: Callable[[Trainer], None],
) -> dict[str, Any]:
    run, examples, recipe = plan.run, plan.examples, plan.recipe
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(facts["precision"])
    try:
        with every_device() as devices:
            if recipe.batch_size % devices:
                raise TrainingError(
                    f"a batch of {recipe.batch_size} frames cannot be shared by {devices} devices; "
                    f"give --batch-size {-(-recipe.batch_size // devices) * devices}"
                )
            keras.utils.set_random_seed(recipe.seed)
            trainer = Trainer(plan.network(), examples, recipe, plan.phases, run, progress)
            before(trainer)
            position = trainer.go()
    finally:
        keras.config.set_dtype_policy(policy)
    model = run.best(trainer.model)
    record = facts | {
        "network": model.name,
        "devices": devices,
        "seconds": round(position.seconds, 1),
        "epochs": len(position.history),
        "steps": position.steps,
        "best": json_value(max(position.history, key=_merit)),
        "finished": True,
    }
    info = PresetInfo(
        run.folder.resolve().name,
        examples.class_names,
        examples.scaling,
        examples.pixel_size_um,
        examples.trained_on,
        channels=examples.channels,
    )
    write_preset(run.preset, model, info, run_card(info, run.asked, record))
    run.write_record(record)
    return record


def _merit(row: dict[str, Any]) -> tuple[float, int]:
    """Rank an epoch: a higher score is better, and of equal scores the earlier."""
    score = row["score"]
    return (score if math.isfinite(score) else -1.0, -row["epoch"])


def make_examples(
    data: Dataset | Simulation | str | os.PathLike[str],
    recipe: Recipe,
    info: PresetInfo | None,
    mixed_with: Simulation | None,
    share: float,
    recordings: Path,
) -> Examples:
    """Make the examples of a training.

    Args:
        data: A data set or its folder, or a simulation.
        recipe: Recipe, which says how the frames are shown.
        info: Preset that the training starts from, whose classes and grey levels it keeps.
        mixed_with: Simulation beside a data set, or None.
        share: Share of the simulated frames in a batch.
        recordings: Folder of simulated recordings.

    Raises:
        TrainingError: The preset has other classes than the data.
    """
    scaling = GreyScaling(recipe.grey_levels) if info is None else info.scaling
    examples: Examples
    if isinstance(data, Simulation):
        # The simulator needs OpenCV, which training on a data set does not.
        from amseg_keras.training.simulated_examples import SimulatedExamples

        examples = SimulatedExamples(data, recipe, scaling, recordings)
    else:
        opened = data if isinstance(data, Dataset) else open_dataset(data)
        classes = None if info is None else info.class_names
        if mixed_with is None:
            examples = DatasetExamples(opened, recipe, classes, scaling)
        else:
            source = DatasetSource(opened, classes, scaling)
            examples = mixed_examples(source, mixed_with, share, recipe, recordings)
    if info is not None and examples.class_names != info.class_names:
        raise TrainingError(
            f"{info.name} has the classes {', '.join(info.class_names)}, and the data have "
            f"{', '.join(examples.class_names)}; for other classes: amseg finetune"
        )
    return examples


def _distilled(examples: Examples, teacher: Path) -> Examples:
    info = read_info(teacher)
    return DistilledExamples(examples, read_model(teacher, info), info, weights_digest(teacher))


def _batches_key(recipe: Recipe, examples: Examples) -> str:
    """Return a short key of everything that decides the batches of a training."""
    decides = {name: value for name, value in asdict(recipe).items() if name not in _OF_NETWORK}
    text = json.dumps([decides, examples.describe()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


_OF_NETWORK = (
    "network",
    "width",
    "learning_rate",
    "annealing",
    "weighted",
    "clip_norm",
    "averaging",
    "patience",
    "precision",
)
"""Fields of a recipe that change nothing about the batches."""
