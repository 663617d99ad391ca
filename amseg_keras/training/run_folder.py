"""What a training leaves behind, in a folder.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.models.precision import in_precision
from amseg_keras.outputs import OutputFiles, OutputFolder
from amseg_keras.report.training_figure import draw_curves
from amseg_keras.training.errors import TrainingError

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
            resume: Whether to go on with a training that is there.

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
        """A copy of the network with the best weights, as it is used: in float32."""
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
    """The first thing in which two requests differ, in words."""
    if not isinstance(there, dict):
        return "of unknown kind"
    for key in wanted:
        if isinstance(wanted[key], dict) and isinstance(there.get(key), dict):
            if there[key] != wanted[key]:
                return _difference(there[key], wanted[key])
        elif there.get(key) != wanted[key]:
            return f"{key} {there.get(key)!r}, not {wanted[key]!r}"[:200]
    return "more was asked for"
