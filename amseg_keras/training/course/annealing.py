"""When the learning rate falls, and when to stop: decided from the epochs so far alone.

Nothing is remembered between epochs, so that a resumed training decides as one that was not
interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

WARM_UP = 0.02
"""Share of the steps in which the rate rises to its height."""

FACTOR = 0.5
"""By which a rate is lowered on a plateau."""


def cosine(height: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that rises for `WARM_UP` of the steps and falls to 0 along a cosine.

    Example:
        >>> rate = cosine(1e-3, 100)
        >>> [round(1e3 * float(rate(step)), 2) for step in (0, 2, 51, 100)]
        [0.1, 1.0, 0.5, 0.0]
    """
    rise = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.1 * height,
        decay_steps=max(1, steps - rise),
        warmup_target=height,
        warmup_steps=rise,
    )


def on_plateaus(height: float, scores: Sequence[float], patience: int) -> float:
    """The rate after epochs with these scores: halved after each `patience` epochs without gain.

    Example:
        >>> on_plateaus(1e-3, [0.5, 0.6, 0.6, 0.59], patience=2)
        0.0005
    """
    best, waited, rate = float("-inf"), 0, height
    for score in scores:
        if score > best:
            best, waited = score, 0
        else:
            waited += 1
        if waited == patience:
            rate, waited = rate * FACTOR, 0
    return rate


def epochs_without_gain(scores: Sequence[float]) -> int:
    """How many epochs ago the best score was.

    Example:
        >>> epochs_without_gain([0.2, 0.7, 0.6, 0.7])
        2
    """
    if not scores:
        return 0
    return len(scores) - 1 - max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))
