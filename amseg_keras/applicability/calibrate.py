"""Make `applicability.json` of a preset: signs of familiar recordings, and of foreign ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from amseg_keras.applicability.certainty import fit_temperature, reliability, tempered
from amseg_keras.applicability.judge import median_signs
from amseg_keras.applicability.knowledge import (
    NEIGHBOURS,
    Detector,
    Knowledge,
    Trees,
    filled,
    for_trees,
    terms,
)

LEAST_WIDTH = 1e-2
"""Smallest width of the usual range of a sign; rounding alone would leave a narrower range."""

OUTSIDE = 20.0
"""Widths of its usual range by which a sign must leave it for a warning of its own."""

MARGIN = 1.15
"""Factor on the largest distance among familiar recordings."""

MOST_POINTS = 300

FALSE_ALARMS = 0.025
"""Share of the familiar recordings, left out of the fit, that may be called foreign."""

_STRENGTH = 0.05
"""Inverse of the penalty on the weights of a detector."""

_FOLDS = 4

Signs = Sequence[Mapping[str, float]]
"""Signs of the frames of one recording."""


def make_knowledge(
    familiar: Sequence[Signs],
    foreign: Mapping[str, Sequence[Signs]],
    weights_sha256: str,
    pixel_sizes_um: tuple[float, float] | None,
    about: str,
    probabilities: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    interval_factors: Mapping[str, float] | None = None,
) -> Knowledge:
    """Calibrate what a preset knows.

    Args:
        familiar: Recordings that the preset is good for.
        foreign: Recordings of each foreign kind.
        weights_sha256: Digest of the preset's weights.
        pixel_sizes_um: Smallest and largest pixel size of the familiar recordings.
        about: Description of the recordings, in words.
        probabilities: Probabilities of the classes of some pixels, `(pixels, classes)`, in the
            order of their recordings, to fit the temperature on; None to leave it at 1.
        truth: True class ids of these pixels.
        interval_factors: Factor on the interval of each quantity, from `interval_factor`.
    """
    medians = [median_signs(one) for one in familiar]
    strangers = {kind: [median_signs(one) for one in many] for kind, many in foreign.items()}
    names = tuple(sorted({name for one in medians for name in one}))
    table = _table(medians, names)
    low, high = _ranges(table)
    familiar_deviations = (table - (low + high) / 2) / (high - low)
    points = filled(familiar_deviations)
    detectors = []
    others = []
    for kind, many in strangers.items():
        deviations = (_table(many, names) - (low + high) / 2) / (high - low)
        detectors.append(_detector(kind, familiar_deviations, deviations))
        others.append(deviations)
    trees = _trees(familiar_deviations, np.concatenate(others)) if others else None
    temperature = 1.0
    table_of_certainty: tuple[tuple[float, ...], ...] = ()
    if probabilities is not None and truth is not None:
        temperature, table_of_certainty = _certainty(probabilities, truth)
    points = points[:: -(-len(points) // MOST_POINTS)]
    return Knowledge(
        weights_sha256,
        names,
        tuple(map(float, low)),
        tuple(map(float, high)),
        OUTSIDE,
        tuple(tuple(map(float, row)) for row in points.round(2)),
        MARGIN * float(np.max(_own_distances(points))),
        trees,
        tuple(detectors),
        pixel_sizes_um,
        about,
        temperature,
        table_of_certainty,
        dict(interval_factors or {}),
    )


def interval_factor(errors: np.ndarray, half_widths: np.ndarray, level: float = 0.9) -> float:
    """Find the factor on intervals that makes them cover the truth as often as they say.

    This is split conformal prediction (Lei et al. 2018): the quantile of the errors, each in units
    of its own interval, over frames that nothing else was fitted to.

    Args:
        errors: Distances of the measured values from the true ones.
        half_widths: Reach of each interval, on the side on which the truth lies.
        level: Share of the frames that is to be covered.

    Example:
        >>> float(interval_factor(np.arange(1.0, 11.0), np.full(10, 5.0)))
        2.0
    """
    share = min(np.ceil((len(errors) + 1) * level) / len(errors), 1.0)
    return float(np.quantile(errors / half_widths, share, method="higher"))


def _certainty(
    probabilities: np.ndarray, truth: np.ndarray
) -> tuple[float, tuple[tuple[float, ...], ...]]:
    """Fit the temperature on the first half of the pixels, and judge it on the second half."""
    half = len(truth) // 2
    temperature = fit_temperature(probabilities[:half], truth[:half])
    return temperature, reliability(tempered(probabilities[half:], temperature), truth[half:])


def _table(medians: Iterable[Mapping[str, float]], names: Sequence[str]) -> np.ndarray:
    return np.array([[one.get(name, np.nan) for name in names] for one in medians], float)


def _ranges(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.nanpercentile(table, (2, 98), axis=0)
    lack = np.maximum(LEAST_WIDTH - (high - low), 0) / 2
    return low - lack, high + lack


def _own_distances(points: np.ndarray) -> np.ndarray:
    apart = np.sqrt(((points[:, None] - points) ** 2).mean(axis=2))
    return np.asarray(np.sort(apart, axis=1)[:, 1 : 1 + NEIGHBOURS].mean(axis=1))


def _trees(familiar: np.ndarray, foreign: np.ndarray) -> Trees:
    """Fit trees, with a limit that few familiar recordings pass that they were not fitted to."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    inputs = for_trees(np.concatenate((familiar, foreign)))
    is_foreign = np.repeat([0, 1], [len(familiar), len(foreign)])
    weights = len(inputs) / 2 / np.bincount(is_foreign)[is_foreign]
    boosted = GradientBoostingClassifier(
        n_estimators=300, learning_rate=0.1, max_depth=4, subsample=0.6, max_features=0.2,
        min_samples_leaf=5, random_state=0,
    )  # fmt: skip
    scores = np.empty(len(inputs))
    for rows, left_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(
        inputs, is_foreign
    ):
        boosted.fit(inputs[rows], is_foreign[rows], weights[rows])
        scores[left_out] = boosted.decision_function(inputs[left_out])
    limit = float(np.quantile(scores[is_foreign == 0], 1 - FALSE_ALARMS))
    boosted.fit(inputs, is_foreign, weights)
    found: dict[str, list[Any]] = {
        name: [] for name in ("sign", "threshold", "left", "right", "value")
    }
    roots = []
    for (regressor,) in boosted.estimators_:
        tree, first = regressor.tree_, len(found["sign"])
        roots.append(first)
        leaf = tree.children_left < 0
        found["sign"] += np.where(leaf, -1, tree.feature).tolist()
        found["threshold"] += np.where(leaf, 0.0, tree.threshold).tolist()
        found["left"] += np.where(leaf, -1, tree.children_left + first).tolist()
        found["right"] += np.where(leaf, -1, tree.children_right + first).tolist()
        values = boosted.learning_rate * tree.value[:, 0, 0]
        found["value"] += np.where(leaf, values, 0.0).tolist()
    trees = Trees(
        tuple(roots),
        **{name: tuple(values) for name, values in found.items()},
        offset=0.0,
        limit=max(limit, 0.0),
    )
    offset = float(boosted.decision_function(inputs[:1])[0]) - trees.score(familiar[0])
    return replace(trees, offset=offset)


def _detector(kind: str, familiar: np.ndarray, foreign: np.ndarray) -> Detector:
    """Fit a line, with the limit above all familiar recordings that it was not fitted to."""
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate((terms(familiar), terms(foreign)))
    is_foreign = np.repeat([0, 1], [len(familiar), len(foreign)])

    def fitted(rows: np.ndarray) -> LogisticRegression:
        line = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000)
        return line.fit(inputs[rows], is_foreign[rows])

    fold = np.arange(len(inputs)) % _FOLDS
    scores = np.empty(len(inputs))
    for number in range(_FOLDS):
        scores[fold == number] = fitted(fold != number).decision_function(inputs[fold == number])
    own, theirs = scores[is_foreign == 0], scores[is_foreign == 1]
    # Above all familiar ones, and by half the gap to the foreign ones where there is a gap.
    top, bottom = float(np.quantile(own, 0.995)), float(np.quantile(theirs, 0.1))
    limit = top + max(0.35 * (bottom - top), 0.3)
    line = fitted(np.ones(len(inputs), bool))
    weights = tuple(map(float, line.coef_[0]))
    return Detector(kind, weights, float(line.intercept_[0]), max(limit, 0.0))
