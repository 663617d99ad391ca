"""How fast an engine is."""

from __future__ import annotations

import time

import numpy as np

from amseg_keras.engines.engine import Engine

ROUNDS = 3


def milliseconds_per_frame(engine: Engine, frames: np.ndarray) -> float:
    """How long an engine takes to label a frame: the shortest of a few rounds.

    Engines are timed one after the other, as two at a time may not fit into memory. The shortest
    round is the one that what else the machine does has slowed the least.

    Args:
        engine: has labelled these frames before, so that it is compiled.
        frames: float32 `(frames, height, width, channels)`, sides multiples of 16.
    """
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        engine.labels(frames)
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken) / len(frames)
