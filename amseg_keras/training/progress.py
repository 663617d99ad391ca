"""What a training tells while it runs; command line, demo and notebook each draw it their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs that are finished.
        epochs: Epochs in all.
        step: Steps that are done in all.
        steps: Steps in all.
        loss: Of the last step.
        seconds_left: Estimated from the steps and validations so far; None before the first.
        finished_epoch: The row of an epoch that has just ended (see `TrainedRun.history`), else
            None.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    seconds_left: float | None
    finished_epoch: dict[str, Any] | None = None
