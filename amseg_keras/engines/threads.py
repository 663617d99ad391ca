"""How many threads engines may take of a machine that they share."""

from __future__ import annotations

import os

THREADS = "AMSEG_ENGINE_THREADS"
"""Environment variable with the number; without it an engine takes all cores."""


def thread_limit() -> int | None:
    """The number of threads that an engine may take, `None` for as many as it likes."""
    given = os.environ.get(THREADS)
    return int(given) if given else None
