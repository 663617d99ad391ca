"""All that a training needs to go on as if it had not been interrupted, in one file."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.training.errors import TrainingError


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
        """An epoch is finished."""
        self.epoch += 1
        self.step, self.frames, self.loss_sum = 0, 0, 0.0


def save_checkpoint(path: Path, model: keras.Model, position: Position) -> None:
    """Write weights, optimizer, averages, random states and position, whole or not at all."""
    arrays: dict[str, Any] = {f"model_{i:04d}": _array(v) for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i:04d}": _array(v) for i, v in enumerate(model.optimizer.variables)}
    with complete_or_absent(path) as temporary:
        np.savez(temporary, position=json.dumps(asdict(position)), **arrays)


def read_position(path: Path) -> Position:
    """How far the training of a checkpoint has come.

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
    return array if array.dtype.kind in "iuf" else array.astype(np.float32)
