"""Probabilities that mean what they say: a temperature, fitted where the truth is known.

A network trained to be right is surer than it is right. Divided by a temperature, its scores keep
their order, so labels stay as they are, and of the pixels with a probability of 90 % nine in ten
are right. The temperature is fitted on simulated frames that the training has not seen.
"""

from __future__ import annotations

import numpy as np

COLDEST, HOTTEST = 0.25, 8.0
"""Range in which the temperature is looked for."""

BINS = 10
"""Bars of a reliability diagram."""

_LEAST = 1e-7
"""Probability below which a network says never."""

_STEPS = 60


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the scores behind probabilities by a temperature.

    Args:
        probabilities: Probabilities of the classes, float `(..., classes)`.
        temperature: Temperature of the preset; above 1 for a network that is too sure.

    Returns:
        Probabilities, float32 of the same shape.

    Example:
        >>> tempered(np.array([0.9, 0.1]), 2.0).round(2)
        array([0.75, 0.25], dtype=float32)
        >>> tempered(np.array([0.9, 0.1]), 1.0).round(2)
        array([0.9, 0.1], dtype=float32)
    """
    given = np.asarray(probabilities, np.float32)
    if temperature == 1:
        return given
    powers = np.maximum(given, np.float32(_LEAST)) ** np.float32(1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Find the temperature at which the probabilities of the true classes are the largest.

    Args:
        probabilities: Probabilities of the classes of some pixels, float `(pixels, classes)`.
        truth: Their true class ids, `(pixels,)`.

    Returns:
        The temperature that minimises the mean negative log-likelihood (Guo et al. 2017).

    Example:
        A network that says 99 % and is right in three of four pixels:

        >>> said = np.tile([0.99, 0.01], (400, 1))
        >>> truth = np.repeat([0, 0, 0, 1], 100)
        >>> temperature = fit_temperature(said, truth)
        >>> tempered(said[0], temperature).round(2)
        array([0.75, 0.25], dtype=float32)
    """
    scores = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        divided = scores / np.exp(log_temperature)
        return float((np.logaddexp.reduce(divided, axis=1) - divided[rows, truth]).mean())

    # The loss has one minimum: the interval that holds it is divided by the golden ratio.
    low, high = np.log(COLDEST), np.log(HOTTEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
        if high - low < 1e-4:
            break
    return float(np.exp((low + high) / 2))


def reliability(
    probabilities: np.ndarray, truth: np.ndarray
) -> tuple[tuple[float, float, float], ...]:
    """Compare how sure a network is with how often it is right.

    Args:
        probabilities: Probabilities of the classes of some pixels, float `(pixels, classes)`.
        truth: Their true class ids, `(pixels,)`.

    Returns:
        For each of ten ranges of confidence that has pixels: mean confidence, share of right
        labels, share of the pixels.

    Example:
        >>> reliability(np.tile([0.95, 0.05], (4, 1)), np.array([0, 0, 0, 1]))
        ((0.95, 0.75, 1.0),)
    """
    sure = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == truth
    place = np.clip((sure * BINS).astype(int), 0, BINS - 1)
    rows = []
    for number in range(BINS):
        here = place == number
        if here.any():
            rows.append((float(sure[here].mean()), float(right[here].mean()), float(here.mean())))
    return tuple(rows)
