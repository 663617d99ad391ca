"""Which engine is the fastest here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import numpy as np

from amseg_keras.engines.engine import Engine

ROUNDS = 3


def milliseconds_per_frame(
    engines: Mapping[str, Engine], frames: np.ndarray, rounds: int = ROUNDS
) -> dict[str, float]:
    """How long each engine takes to label a frame: the median of rounds in which all take turns.

    What else the machine does falls on all engines of a round alike.

    Args:
        engines: by name; each has labelled these frames before, so that it is compiled.
        frames: float32 `(frames, height, width, 1)`, sides multiples of 16.
        rounds: how often.
    """
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            began = time.perf_counter()
            engine.labels(frames)
            times[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(taken) / len(frames) for name, taken in times.items()}
