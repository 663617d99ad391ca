"""The files of a training, and the model card of its network.

run.json            what was asked for, of what, on which machine; at the end how long it took
epochs.csv          a row for each epoch
tensorboard/        the same for TensorBoard
curves.png          loss and IoU over the epochs
checkpoint.npz      everything that resuming needs
best.weights.h5     the weights of the best epoch
preset/             the same as a preset, at the end
"""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from tensorboardX import SummaryWriter

from amseg_keras.atomic import complete_or_absent
from amseg_keras.models.precision import in_precision
from amseg_keras.outputs import OutputFiles, OutputFolder
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.card import Measured, model_card
from amseg_keras.pretrained.preset import description
from amseg_keras.report.learning import draw_curves
from amseg_keras.training.recipe import Recipe, TrainingError

_RUN, _EPOCHS, _BEST = "run.json", "epochs.csv", "best.weights.h5"
_FILES = OutputFiles("amseg train", _RUN, (_EPOCHS, _BEST, "checkpoint.npz", "curves.png"))


class RunFolder:
    """The folder of a training.

    Args:
        folder: Made when the training begins.
        asked: What was asked for, as JSON can hold it: a training goes on only if it is the same.
    """

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        self.folder = folder
        self.asked = json.loads(json.dumps(asked))
        self.checkpoint = folder / "checkpoint.npz"
        self.preset = folder / "preset"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder while the training runs: two trainings would mix their checkpoints.

        Raises:
            OutputTakenError: Another process trains into the folder.
        """
        with OutputFolder(self.folder, _FILES) as out:
            out.claim()
            yield

    def begin(self, facts: dict[str, Any], resume: bool) -> dict[str, Any] | None:
        """Start the folder, or look at what is there.

        Args:
            facts: Versions and hardware.
            resume: True to go on with a training that is in the folder.

        Returns:
            The record of a training that is finished, else None.

        Raises:
            TrainingError: There is another training, or the same and `resume` is off.
        """
        path = self.folder / _RUN
        if path.exists():
            record = _read(path)
            if record.get("asked") != self.asked:
                changed = _difference(record.get("asked", {}), self.asked)
                raise TrainingError(
                    f"{self.folder}: holds another training ({changed}); give another folder"
                )
            if not resume:
                raise TrainingError(
                    f"{self.folder}: holds this training already; go on with --resume, or give "
                    "another folder"
                )
            return record if record.get("finished") else None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_record(facts)
        return None

    def write_record(self, facts: dict[str, Any]) -> None:
        """Write `run.json`."""
        with complete_or_absent(self.folder / _RUN) as temporary:
            text = json.dumps({"asked": self.asked, **facts}, indent=2)
            temporary.write_text(text + "\n", "utf-8")

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write `epochs.csv` and the curves."""
        table = pd.DataFrame(rows)
        with complete_or_absent(self.folder / _EPOCHS) as temporary:
            table.to_csv(temporary, index=False)
        draw_curves(table, self.folder / "curves.png")

    def save_best(self, model: keras.Model) -> None:
        """Keep the network's present weights as the best."""
        # Of a copy that is not compiled: Keras would store the optimizer's state with them.
        copy = in_precision(model)
        with complete_or_absent(self.folder / _BEST) as temporary:
            # Keras wants this ending, which a temporary name has not.
            partial = temporary.with_name(temporary.stem + ".weights.h5")
            copy.save_weights(partial)
            partial.rename(temporary)

    def best(self, model: keras.Model) -> keras.Model:
        """Copy the network with the best weights, in float32, as it is used."""
        copy = in_precision(model)
        copy.load_weights(self.folder / _BEST)
        return copy


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError:
        record = {}
    return record if isinstance(record, dict) else {}


def _difference(there: Any, wanted: dict[str, Any]) -> str:
    """Name the first setting in which two requests differ."""
    if not isinstance(there, dict):
        return "of unknown kind"
    for key in wanted:
        if isinstance(wanted[key], dict) and isinstance(there.get(key), dict):
            if there[key] != wanted[key]:
                return _difference(there[key], wanted[key])
        elif there.get(key) != wanted[key]:
            return f"{key} {there.get(key)!r}, not {wanted[key]!r}"[:200]
    return "more was asked for"


@dataclass
class Position:
    """How far a training has come.

    Attributes:
        phase: Number of the phase.
        epoch: Number of the epoch, counted through all phases.
        step: Steps of this epoch that are done.
        steps: Steps that are done in all.
        frames: Frames of this epoch that are done.
        loss_sum: Sum of their losses.
        seconds: Time trained, earlier runs included.
        history: A row for each finished epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    steps: int = 0
    frames: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.step, self.frames, self.loss_sum = 0, 0, 0.0


def save_checkpoint(path: Path, model: keras.Model, position: Position) -> None:
    """Write weights, optimizer, averages, random states and position, whole or not at all."""
    arrays: dict[str, Any] = {f"model_{i:04d}": _array(v) for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i:04d}": _array(v) for i, v in enumerate(model.optimizer.variables)}
    with complete_or_absent(path) as temporary:
        np.savez(temporary, position=json.dumps(asdict(position)), **arrays)


def read_position(path: Path) -> Position:
    """Read how far the training of a checkpoint has come.

    Raises:
        TrainingError: The file is no checkpoint.
    """
    try:
        with np.load(path) as stored:
            return Position(**json.loads(str(stored["position"])))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"{path}: no checkpoint of a training ({error}); delete it to start again"
        ) from error


def load_checkpoint(path: Path, model: keras.Model) -> None:
    """Put weights, optimizer, averages and random states back.

    Raises:
        TrainingError: They belong to another network or optimizer.
    """
    with np.load(path) as stored:
        for kind, variables in (
            ("model", model.variables),
            ("optimizer", model.optimizer.variables),
        ):
            names = [name for name in stored.files if name.startswith(f"{kind}_")]
            if len(names) != len(variables):
                raise TrainingError(f"{path}: is of another {kind}; delete it to start again")
            for name, variable in zip(names, variables, strict=True):
                variable.assign(stored[name])


def _array(variable: keras.Variable) -> np.ndarray:
    array = keras.ops.convert_to_numpy(variable)
    # NumPy's files know no bfloat16.
    return np.asarray(array if array.dtype.kind in "iuf" else array.astype(np.float32))


_NOT_PLOTTED = ("epoch", "phase", "step", "minutes")


class EventLog:
    """Writes what TensorBoard shows, on every backend.

    Args:
        folder: Folder of the event files. Its files are written anew, since a resumed training
            would otherwise show epochs twice.
        history: Epochs that are finished.
    """

    def __init__(self, folder: Path, history: list[dict[str, Any]]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder), flush_secs=30)
        for row in history:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Add an epoch."""
        for name, value in row.items():
            if name not in _NOT_PLOTTED and math.isfinite(value):
                self._writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


TRAINING = """
- Command: `{command}`.
- Network: {network}, {precision} precision, averages over the last steps.
- {steps:,} steps of {batch_size} in {epochs} epochs, learning rate {learning_rate:g} ({annealing}),
  seed {seed}; {minutes:.0f} minutes on {hardware}. Keras {keras} on {backend}.
"""

ABOUT = (
    "On the validation frames, which were not trained on but chose this epoch, over all their "
    "pixels"
)


def command_of(asked: dict[str, Any]) -> str:
    """Write the command that makes a run: `amseg train`, or `amseg finetune` of split frames.

    Args:
        asked: What was asked for: recipe, data, preset to start from.

    Example:
        >>> from dataclasses import asdict
        >>> recipe = asdict(Recipe(network="amsegnet-lite", epochs=20))
        >>> command_of({"recipe": recipe, "data": {"folder": "frames"}, "start_from": None})
        'amseg train --data frames --network amsegnet-lite --epochs 20 -o OUT'
    """
    data, usual = asked["data"], asdict(Recipe())
    tuned = "split" in data
    words = ["amseg", "finetune" if tuned else "train"]
    if "folder" in data:
        words += ["--data", data["folder"]]
    simulations = [data.get("simulated"), *(d.get("simulated") for d in data.get("mixed_with", []))]
    for simulation in filter(None, simulations):
        for name, share in simulation["facilities"].items():
            words += ["--simulate", f"{name}={share:g}"]
        if "folder" not in data:
            words += ["--frames-per-epoch", str(simulation["frames"])]
            words += ["--reuse", f"{simulation['reuse']:g}"]
            words += ["--kept-frames", str(simulation["kept"])]
    if asked.get("start_from"):
        words += ["--model" if tuned else "--start-from", asked.get("start_name", "PRESET")]
    if asked.get("without_motion"):
        words.append("--without-motion")
    for name, value in asked["recipe"].items():
        if value != usual.get(name) and name in _OPTIONS[tuned]:
            words += [f"--{name.replace('_', '-')}", _as_word(name, value)]
    return " ".join([*words, "-o", "OUT"])


_OF_BOTH = ("epochs", "batch_size", "shape", "learning_rate", "averaging", "patience", "seed")
_OPTIONS = {
    True: _OF_BOTH,
    False: (
        "network",
        "width",
        "channels",
        "grey_levels",
        "blank",
        *_OF_BOTH,
        "annealing",
        "augment",
        "precision",
    ),
}
"""Fields of a recipe that the commands have options for: of a fine-tuning, of a training."""


def _as_word(name: str, value: Any) -> str:
    if name == "shape" and value is not None:
        return "x".join(map(str, value))
    if name == "channels":
        return ",".join(value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def run_card(info: PresetInfo, asked: dict[str, Any], record: dict[str, Any]) -> str:
    """Write the card of a run's preset.

    Args:
        info: Facts about the preset.
        asked: What was asked for: the recipe.
        record: What came of it.
    """
    best = record["best"]
    facts = asked["recipe"] | record | record["versions"] | {"minutes": record["seconds"] / 60}
    facts["command"] = command_of(asked)
    measured = Measured(
        data=info.trained_on,
        split="validation",
        about=ABOUT,
        iou={name: best[f"iou_{name}"] for name in info.class_names},
        mean_iou=best["mean_iou"],
        mean_f1=best.get("mean_f1"),
    )
    return model_card(info.name, description(info), TRAINING.format(**facts), [measured])
