"""Make `applicability.json` of a preset: signs of familiar recordings, and of foreign ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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

FALSE_ALARMS = 0.02
"""Share of the simulated familiar recordings, left out of the fit, that may be called foreign."""

_STRENGTH = 0.05
"""Inverse of the penalty on the weights of a detector."""

_FOLDS = 4

FAMILIAR = "familiar"
"""Kind of the recordings that a preset is good for."""

REAL_SHARE = 0.35
"""Weight of the real recordings among those of a kind."""

Signs = Sequence[Mapping[str, float]]
"""Signs of the frames of one recording."""


@dataclass(frozen=True)
class Samples:
    """Recordings that a preset is calibrated on.

    Attributes:
        signs: Signs of the frames of each.
        kind: Kind of each: `FAMILIAR`, or a foreign kind.
        origin: Real recording that each was made of; empty for a simulated one.
    """

    signs: tuple[Signs, ...]
    kind: tuple[str, ...]
    origin: tuple[str, ...]

    @classmethod
    def of(
        cls,
        familiar: Sequence[Signs],
        foreign: Mapping[str, Sequence[Signs]],
        real: Mapping[str, Mapping[str, Sequence[Signs]]] | None = None,
    ) -> Samples:
        """Put recordings into one list.

        Args:
            familiar: Simulated recordings that the preset is good for.
            foreign: Simulated recordings of each foreign kind.
            real: For each real recording those that were made of it, by their kind.
        """
        rows = [(one, FAMILIAR, "") for one in familiar]
        rows += [(one, kind, "") for kind, many in foreign.items() for one in many]
        rows += [
            (one, kind, name)
            for name, kinds in (real or {}).items()
            for kind, many in kinds.items()
            for one in many
        ]
        signs, kinds_of, origins = zip(*rows, strict=True)
        return cls(signs, kinds_of, origins)

    def weights(self) -> np.ndarray:
        """Weigh every kind alike, in it real recordings by `REAL_SHARE`, and each of them alike.

        Returns:
            Float `(recordings,)`; familiar and foreign recordings have half of the sum each.
        """
        kinds, origins = np.array(self.kind), np.array(self.origin)
        weights = np.zeros(len(kinds))
        foreign = sorted(set(kinds) - {FAMILIAR})
        for kind in (FAMILIAR, *foreign):
            of_kind = kinds == kind
            made = [of_kind & (origins == name) for name in sorted(set(origins[of_kind]) - {""})]
            simulated = of_kind & (origins == "")
            share = (REAL_SHARE if simulated.any() else 1.0) if made else 0.0
            groups = [(simulated, 1 - share), *((one, share / len(made)) for one in made)]
            for rows, part in groups:
                if rows.any():
                    weights[rows] = part / rows.sum()
            weights[of_kind] /= 1 if kind == FAMILIAR else len(foreign)
        return np.asarray(weights * len(kinds) / weights.sum())


def make_knowledge(
    samples: Samples,
    weights_sha256: str,
    pixel_sizes_um: tuple[float, float] | None,
    about: str,
    probabilities: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    interval_factors: Mapping[str, float] | None = None,
    say: Callable[[str], None] = lambda line: None,
    false_alarms: float = FALSE_ALARMS,
) -> Knowledge:
    """Calibrate what a preset knows.

    Args:
        samples: Familiar and foreign recordings.
        weights_sha256: Digest of the preset's weights.
        pixel_sizes_um: Smallest and largest pixel size of the familiar recordings.
        about: Description of the recordings, in words.
        probabilities: Probabilities of the classes of some pixels, `(pixels, classes)`, in the
            order of their recordings, to fit the temperature on; None to leave it at 1.
        truth: True class ids of these pixels.
        interval_factors: Factor on the interval of each quantity, from `interval_factor`.
        say: Function that is told, line by line, how recordings are judged by trees that were
            fitted without them.
        false_alarms: Share of the simulated familiar recordings, left out of the fit, that may be
            called foreign.
    """
    medians = [median_signs(one) for one in samples.signs]
    kinds, origins = np.array(samples.kind), np.array(samples.origin)
    own = kinds == FAMILIAR
    names = tuple(
        sorted({name for one, mine in zip(medians, own, strict=True) if mine for name in one})
    )
    table = _table(medians, names)
    low, high = _ranges(table[own])
    deviations = (table - (low + high) / 2) / (high - low)
    weights = samples.weights()
    foreign = [kind for kind in dict.fromkeys(samples.kind) if kind != FAMILIAR]
    detectors = []
    for kind in foreign:
        rows = own | (kinds == kind)
        detectors.append(_detector(kind, deviations[rows], (kinds == kind)[rows], weights[rows]))
    trees = None
    if foreign:
        scores = left_out_scores(deviations, ~own, weights, origins)
        simulated = own & (origins == "")
        quiet = scores[simulated if simulated.any() else own]
        limit = max(float(np.quantile(quiet, 1 - false_alarms)), 0.0)
        for line in _of_left_out(scores > limit, samples):
            say(line)
        trees = _trees(deviations, ~own, weights, limit)
    temperature = 1.0
    table_of_certainty: tuple[tuple[float, ...], ...] = ()
    if probabilities is not None and truth is not None:
        temperature, table_of_certainty = _certainty(probabilities, truth)
    points = filled(deviations[own])
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


def left_out_scores(
    deviations: np.ndarray, is_foreign: np.ndarray, weights: np.ndarray, origins: np.ndarray
) -> np.ndarray:
    """Score each recording by trees that were fitted without it.

    Nothing that was made of a real recording is among those that its trees were fitted to.

    Args:
        deviations: Deviations of every recording, `(recordings, signs)`.
        is_foreign: Whether each is foreign.
        weights: Weight of each.
        origins: Real recording that each was made of; empty for a simulated one.

    Returns:
        Log-odds that each is foreign, float `(recordings,)`.
    """
    names = sorted(set(origins) - {""})
    fold = np.array([names.index(one) if one else -1 for one in origins]) % _FOLDS
    simulated = origins == ""
    rng = np.random.default_rng(0)
    for kind in (False, True):
        # Shuffled: facilities, and recordings with motion and without, take turns.
        rows = rng.permutation(np.flatnonzero(simulated & (is_foreign == kind)))
        fold[rows] = np.arange(len(rows)) % _FOLDS
    scores = np.empty(len(deviations))
    inputs = for_trees(deviations)
    for number in range(_FOLDS):
        kept = (fold != number) & (weights > 0)
        boosted = _boosted().fit(inputs[kept], is_foreign[kept], weights[kept])
        scores[fold == number] = boosted.decision_function(inputs[fold == number])
    return scores


def _of_left_out(warned: np.ndarray, samples: Samples) -> Iterator[str]:
    """Say how many recordings of each kind are warned of by trees that have not seen them."""
    kinds, origins = np.array(samples.kind), np.array(samples.origin)
    for kind in dict.fromkeys(samples.kind):
        simulated = warned[(kinds == kind) & (origins == "")]
        real = {
            name: warned[(kinds == kind) & (origins == name)]
            for name in dict.fromkeys(origins[(kinds == kind) & (origins != "")])
        }
        said = [f"{simulated.mean():.0%} of {len(simulated)} simulated"] if len(simulated) else []
        if real:
            mean = np.mean([one.mean() for one in real.values()])
            wrong = {
                name: one.mean()
                for name, one in real.items()
                if (one.mean() > 0.5) != (kind != FAMILIAR)
            }
            named = "".join(f", {name} {share:.0%}" for name, share in wrong.items())
            said.append(f"{mean:.0%} of those made of {len(real)} real ones{named}")
        yield f"  left out, {kind}: warned of {'; '.join(said)}"


def _boosted() -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(
        n_estimators=300, learning_rate=0.1, max_depth=4, subsample=0.6, max_features=0.2,
        min_samples_leaf=5, random_state=0,
    )  # fmt: skip


def _trees(
    deviations: np.ndarray, is_foreign: np.ndarray, weights: np.ndarray, limit: float
) -> Trees:
    """Fit trees to all recordings."""
    inputs = for_trees(deviations)
    boosted = _boosted().fit(inputs, is_foreign, weights)
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
        limit=limit,
    )
    offset = float(boosted.decision_function(inputs[:1])[0]) - trees.score(deviations[0])
    return replace(trees, offset=offset)


def _detector(
    kind: str, deviations: np.ndarray, is_foreign: np.ndarray, weights: np.ndarray
) -> Detector:
    """Fit a line, with the limit above all familiar recordings that it was not fitted to."""
    from sklearn.linear_model import LogisticRegression

    inputs = terms(deviations)
    # Both sides weigh the same, however many recordings each has.
    sums = np.where(is_foreign, weights[is_foreign].sum(), weights[~is_foreign].sum())
    weights = weights / sums * len(weights) / 2

    def fitted(rows: np.ndarray) -> LogisticRegression:
        line = LogisticRegression(C=_STRENGTH, max_iter=2000)
        return line.fit(inputs[rows], is_foreign[rows], weights[rows])

    fold = np.arange(len(inputs)) % _FOLDS
    scores = np.empty(len(inputs))
    for number in range(_FOLDS):
        scores[fold == number] = fitted(fold != number).decision_function(inputs[fold == number])
    own, theirs = scores[~is_foreign], scores[is_foreign]
    # Above all familiar ones, and by half the gap to the foreign ones where there is a gap.
    top, bottom = float(np.quantile(own, 0.995)), float(np.quantile(theirs, 0.1))
    limit = top + max(0.35 * (bottom - top), 0.3)
    line = fitted(np.ones(len(inputs), bool))
    of_signs = tuple(map(float, line.coef_[0]))
    return Detector(kind, of_signs, float(line.intercept_[0]), max(limit, 0.0))
