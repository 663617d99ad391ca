"""The epochs of a training for TensorBoard."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

_NOT_PLOTTED = ("epoch", "phase", "step", "minutes")


class EventLog:
    """Writes what TensorBoard shows, on every backend.

    Args:
        folder: Of the event files; what is there is written anew, since a resumed training would
            otherwise show epochs twice.
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
