"""When what an acquisition writes is taken, and when it is given up."""

from __future__ import annotations

import time
from dataclasses import dataclass

from amseg_keras.read.formats import holds_datasets
from amseg_keras.read.formats.hdf5 import is_closed, is_growing
from amseg_keras.runs.watch.incoming.folder import SeenFile


@dataclass(frozen=True)
class Timing:
    """When a file is taken.

    Attributes:
        settle_s: It has been unchanged for so long.
        patience_s: So long is a file or frame that cannot be read taken for unfinished.
    """

    settle_s: float = 0.5
    patience_s: float = 30.0


def can_be_read(file: SeenFile, timing: Timing, now: float) -> bool:
    """Whether a file has come to rest, or its writer lets others read meanwhile.

    Raises:
        ReadError: It cannot be opened.
    """
    quiet = file.changed + timing.settle_s <= now
    if not holds_datasets(file.path):
        return quiet
    return is_growing(file.path) or (quiet and is_closed(file.path))


def wall_time(moment: float) -> float:
    """Seconds since 1970 of a moment of `time.monotonic`."""
    return time.time() - (time.monotonic() - moment)
