"""Fine-tune a trained network on a few labelled frames."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.datasets import Dataset, open_dataset
from amseg_keras.evaluation import Evaluation, evaluate
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.models.precision import from_config
from amseg_keras.outputs import write_json
from amseg_keras.pretrained import PresetInfo, find_preset
from amseg_keras.pretrained.preset import read_info, read_model, weights_digest
from amseg_keras.report.learning import draw_transfer
from amseg_keras.training import Progress, Recipe, TrainedRun
from amseg_keras.training.examples import (
    DatasetExamples,
    DatasetSource,
    Examples,
    calibration_images,
)
from amseg_keras.training.optimizer import measure_statistics
from amseg_keras.training.recipe import Phase, Simulation
from amseg_keras.training.run import Plan, carry_out
from amseg_keras.training.run_folder import RunFolder
from amseg_keras.training.trainer import Trainer
from amseg_keras.transfer.prepare import (
    ONE_FRAME,
    keep_split,
    refuse_equal_frames,
    split_for_tuning,
    with_classes,
)

FINE_TUNING = Recipe(
    epochs=60,
    batch_size=4,
    learning_rate=3e-4,
    augment="strong",
    focus=0.5,
    averaging=0.95,
    patience=20,
)
"""The default recipe of `fine_tune`."""

HEAD_SHARE, HEAD_RATE = 0.25, 1e-3
"""Share of the epochs in which the encoder rests, and the learning rate in these epochs."""

BEFORE = "before.json"
"""File of the scores on the held-out frames before the first step."""

TINY = 50
"""Fewest training frames with which batch norms update their statistics."""

ONE_FRAME_EPOCHS = 15
"""Most epochs on a single labelled frame: later it is learned by heart."""

EPOCH_FRAMES = 16
"""Fewer frames are repeated, each time cut and augmented anew, until an epoch has about so many."""


@dataclass(frozen=True)
class FineTunedRun:
    """Results of a fine-tuning.

    Attributes:
        tuned: The training; `tuned.preset` is the network.
        from_scratch: The same network trained on the same frames from random weights, if asked
            for.
        comparison: IoU of each class and `mean`, a column for each training; on the test frames, or
            on the validation frames if there is no test.
        before: Scores on the held-out frames before the first step, named as in `tuned.history`;
            a class that the preset does not know by name begins with the mean of all classes.

    Example:
        >>> history = pd.DataFrame({"epoch": [0, 1], "score": [0.7, 0.9]})
        >>> tuned = TrainedRun(Path("tuned"), Path("tuned/preset"), history, seconds=600.0)
        >>> iou = pd.DataFrame(
        ...     {"fine-tuned": [0.85, 0.9], "from scratch": [0.4, 0.6]}, index=["pore", "mean"]
        ... )
        >>> run = FineTunedRun(tuned, comparison=iou)
        >>> run.tuned.preset.as_posix(), run.comparison.loc["pore"].idxmax()
        ('tuned/preset', 'fine-tuned')
    """

    tuned: TrainedRun
    from_scratch: TrainedRun | None = None
    comparison: pd.DataFrame | None = None
    before: pd.Series | None = None


def fine_tune(
    data: Dataset | str | os.PathLike[str],
    out: str | os.PathLike[str],
    start_from: str | os.PathLike[str] = "amsegnet-esrf",
    recipe: Recipe = FINE_TUNING,
    *,
    mixed_with: Simulation | Dataset | None = None,
    share: float = 0.5,
    gentle: bool = False,
    from_scratch: bool = False,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
    expected: Callable[[float], None] | None = None,
) -> FineTunedRun:
    """Fine-tune a trained network on labelled frames of your own (section 3.3 of the paper).

    Five frames are enough to begin with. A single one tunes the network to its own recording, in
    at most `ONE_FRAME_EPOCHS` epochs, since no held-out frame says when to stop; the preset says
    so. The network gets the classes of the data set; classes that it knows by name keep their
    weights. First the encoder rests, then all layers train at a lower
    rate. With fewer than `TINY` frames, the statistics of the batch norms are measured once on
    these frames and kept. Training stops when the scores on held-out frames no longer rise.

    Args:
        data: A data set or its folder. Without a split, whole sequences or the last fifth of each
            sequence are held out to stop by; frames of a test are not looked at.
        out: Folder of the run; `out/preset` is the network.
        start_from: Preset, folder or `owner/repo` of the trained network.
        recipe: Epochs, rate, augmentation; its `network` is not looked at.
        mixed_with: Simulated frames beside the labelled ones, so that the network does not forget
            what other recordings look like; or another data set, whose split "validation" then
            helps to choose the best epoch.
        share: Share of these other frames in each batch.
        gentle: Change a network as little as possible: batch norms keep the statistics of the
            preset, and all layers train at one rate from the first step. For a preset that knows
            the classes and such frames already.
        from_scratch: Train the same network from random weights too and compare (figure 8a-c),
            in `out/from_scratch`, `out/transfer.csv` and `out/transfer.png`.
        resume: Go on with what is in `out`.
        progress: Function called after each step and epoch.
        expected: Function called with the expected seconds before the first step; to measure them
            takes a few steps.

    `out` has also `split.csv`, which frames were for what, and `before.json`, the scores on the
    held-out frames before the first step.

    Raises:
        TrainingError: `out` holds another training, a frame is in the data set twice, the memory is
            not enough, or the loss became NaN.
        ReadError: Frames or labels cannot be read, or no frame has labels.
        PresetError: `start_from` cannot be found.

    Example:
        Five simulated frames in place of labelled ones, and a single epoch:

        >>> import tempfile
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.runs.simulate import SimulateSettings, simulate_dataset
        >>> folder = Path(tempfile.mkdtemp())
        >>> settings = SimulateSettings("aps", frames=5, sequences=1, shape=(64, 96))
        >>> frames = simulate_dataset(folder / "frames", settings)
        >>> recipe = replace(FINE_TUNING, epochs=1)
        >>> run = fine_tune(frames, folder / "tuned", "amsegnet-esrf-lite", recipe)
        >>> from_pretrained(run.tuned.preset).class_names
        ('background', 'powder', 'substrate', 'keyhole', 'pore')
    """
    start = find_preset(start_from)
    info = read_info(start)
    opened, how = split_for_tuning(data if isinstance(data, Dataset) else open_dataset(data))
    refuse_equal_frames(opened)
    frames = len(opened.of_split("train").frames)
    recipe = replace(
        recipe,
        channels=info.channels.names,
        epochs=min(recipe.epochs, ONE_FRAME_EPOCHS) if how == ONE_FRAME else recipe.epochs,
        shape=recipe.shape and _fitting_shape(opened, recipe.shape),
        repeat=recipe.repeat * max(1, round(EPOCH_FRAMES / frames)),
    )
    simulated = Path(out) / "recordings"
    examples = _examples(opened, recipe, info, (mixed_with, share), simulated)
    if how == ONE_FRAME:
        examples.trained_on += " (one labelled frame, for its own recording)"
    examples.trained_on += f"; fine-tuned from {info.name} (trained on {info.trained_on})"
    asked: dict[str, Any] = {
        "recipe": asdict(recipe),
        "data": examples.describe() | {"split": how},
        "start_from": weights_digest(start),
    }
    if gentle:
        asked["gentle"] = True
    few = gentle or frames < TINY
    head = max(1, round(HEAD_SHARE * recipe.epochs)) if recipe.epochs > 1 and not gentle else 0
    phases: tuple[Phase, ...] = (Phase(recipe.epochs - head, recipe.learning_rate, (), few),)
    if head:
        phases = (Phase(head, HEAD_RATE, ("encoder",), few), *phases)
    plan = Plan(
        RunFolder(Path(out), asked),
        examples,
        recipe,
        phases,
        lambda: _tuned_network(start, info, opened.class_names),
    )

    def prepare(trainer: Trainer) -> None:
        keep_split(opened, plan.run.folder)
        write_json(plan.run.folder / BEFORE, trainer.validate_now())
        if few and not gentle:
            measure_statistics(trainer.model, calibration_images(examples, EPOCH_FRAMES))
        if expected is not None:
            expected(trainer.expected_seconds() * (2 if from_scratch else 1))

    try:
        tuned = carry_out(plan, resume, progress, prepare)
    finally:
        examples.close()
    if not from_scratch:
        shutil.rmtree(simulated, ignore_errors=True)
        return FineTunedRun(tuned, before=_before(tuned))
    other = _examples(opened, recipe, info, (mixed_with, share), simulated)
    fresh = Plan(
        RunFolder(tuned.folder / "from_scratch", asked | {"start_from": None}),
        other,
        recipe,
        (Phase(recipe.epochs, HEAD_RATE),),
        lambda: _fresh_network(start, info, opened.class_names),
    )
    try:
        scratch = carry_out(fresh, True, progress)
    finally:
        other.close()
    shutil.rmtree(simulated, ignore_errors=True)
    return FineTunedRun(tuned, scratch, _compare(tuned, scratch, opened), _before(tuned))


def _before(tuned: TrainedRun) -> pd.Series | None:
    """Scores before the first step; None for a run of an earlier version."""
    path = tuned.folder / BEFORE
    return pd.Series(json.loads(path.read_text("utf-8"))) if path.exists() else None


def _examples(
    data: Dataset,
    recipe: Recipe,
    info: PresetInfo,
    beside: tuple[Simulation | Dataset | None, float],
    folder: Path,
) -> Examples:
    """Return the labelled frames, mixed with others if requested."""
    other, share = beside
    if other is None:
        return DatasetExamples(data, recipe, data.class_names, info.scaling)
    from amseg_keras.training.derived_examples import mixed_examples, mixed_with_frames

    source = DatasetSource(data, data.class_names, info.scaling)
    if isinstance(other, Dataset):
        return mixed_with_frames(source, other, share, recipe)
    return mixed_examples(source, other, share, recipe, folder)


def _tuned_network(start: Path, info: PresetInfo, classes: tuple[str, ...]) -> keras.Model:
    policy = keras.config.dtype_policy().name
    return with_classes(read_model(start, info), info.class_names, classes, policy)


def _fresh_network(start: Path, info: PresetInfo, classes: tuple[str, ...]) -> keras.Model:
    """Return the same network with random weights."""
    return from_config(
        _tuned_network(start, info, classes).get_config(), keras.config.dtype_policy().name
    )


def _fitting_shape(data: Dataset, largest: tuple[int, int]) -> tuple[int, int]:
    """Return the largest window that frames fill, at most `largest`."""
    height, width = data.image(data.frames[0]).shape
    sides = [-(-side // MULTIPLE) * MULTIPLE for side in (height, width)]
    return min(sides[0], largest[0]), min(sides[1], largest[1])


def _compare(tuned: TrainedRun, scratch: TrainedRun, data: Dataset) -> pd.DataFrame:
    split = "test" if data.of_split("test").frames else "validation"
    columns: dict[str, Any] = {}
    for name, run in (("fine-tuned", tuned), ("from scratch", scratch)):
        columns[name] = _iou(evaluate(run.preset, data, split))
    table = pd.DataFrame(columns)
    table.index.name = f"IoU on the {split} frames"
    with complete_or_absent(tuned.folder / "transfer.csv") as temporary:
        table.to_csv(temporary)
    draw_transfer(
        {"fine-tuned": tuned.history, "from scratch": scratch.history},
        {name: table[name] for name in table},
        tuned.folder / "transfer.png",
    )
    return table


def _iou(evaluation: Evaluation) -> pd.Series:
    there = evaluation.classes["iou"].dropna()
    return pd.concat([there, pd.Series({"mean": evaluation.mean_iou})])
