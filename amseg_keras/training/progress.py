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

    Example:
        >>> def show(done: Progress) -> None:
        ...     if done.finished_epoch is not None:
        ...         score = done.finished_epoch["mean_iou"]
        ...         print(f"{done.epoch} of {done.epochs} epochs, mean IoU {score:.3f}")
        >>> show(Progress(4, 100, 40, 1000, 0.81, 1800.0, {"mean_iou": 0.7123}))
        4 of 100 epochs, mean IoU 0.712

        In a training: `train(data, folder, progress=show)`.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    seconds_left: float | None
    finished_epoch: dict[str, Any] | None = None
