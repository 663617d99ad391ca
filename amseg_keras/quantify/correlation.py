"""Correlate quantities with pores, and divide the plane of two quantities by a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class CovarianceEllipse:
    """Ellipse of a group of points: centre, extent and direction.

    Attributes:
        x: mean of the points' x.
        y: mean of their y.
        half_axes: long and short half axis, in the units of the data.
        angle_deg: angle of the long axis to the x axis, from -90 to 90, counted towards +y.
        deviations: length of the half axes in standard deviations.
        points: number of points.

    Example:
        Points along a line that rises by as much as it goes to the right:

        >>> mean_delta = np.array([0.1, 0.2, 0.3, 0.4])
        >>> ellipse = covariance_ellipse(mean_delta, mean_delta + 0.1)
        >>> round(ellipse.x, 2), round(ellipse.y, 2), round(ellipse.angle_deg), ellipse.points
        (0.25, 0.35, 45, 4)
    """

    x: float
    y: float
    half_axes: tuple[float, float]
    angle_deg: float
    deviations: float
    points: int


def covariance_ellipse(
    x: np.ndarray | pd.Series, y: np.ndarray | pd.Series, deviations: float = 2.0
) -> CovarianceEllipse:
    """Fit an ellipse to points, from the eigenvectors of their covariance (Figure 7c, d).

    The covariance is the sample covariance (divided by n - 1). For points that are normally
    distributed, ellipses of 1, 2, 3 standard deviations contain 39, 86, 99 %.

    Args:
        x: float `(points,)`; points that are NaN in `x` or `y` are left out.
        y: the same.
        deviations: length of the half axes in standard deviations along them.

    Raises:
        ValueError: fewer than three points.

    Example:
        >>> ellipse = covariance_ellipse(np.array([0.0, 2, 0, 2]), np.array([0.0, 2, 2, 0]), 1.0)
        >>> ellipse.x, ellipse.y, [round(half, 4) for half in ellipse.half_axes]
        (1.0, 1.0, [1.1547, 1.1547])
    """
    points = np.stack((np.asarray(x, float), np.asarray(y, float)))
    points = points[:, np.isfinite(points).all(axis=0)]
    count = points.shape[1]
    if count < 3:
        raise ValueError(f"A covariance ellipse needs at least 3 points, not {count}.")
    variances, axes = np.linalg.eigh(np.cov(points))  # ascending
    short, long = deviations * np.sqrt(np.maximum(variances, 0))
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    centre = points.mean(axis=1)
    return CovarianceEllipse(
        x=float(centre[0]),
        y=float(centre[1]),
        half_axes=(float(long), float(short)),
        # An axis has no sense of direction: the same ellipse by an angle of the right half plane.
        angle_deg=float((angle + 90) % 180 - 90),
        deviations=deviations,
        points=count,
    )


def correlations(
    table: pd.DataFrame, quantities: Sequence[str], pores: Sequence[str]
) -> pd.DataFrame:
    """Compute correlation coefficients of every quantity with every measure of the pores.

    Pearson's r tells how well a straight line goes through the points (with `has_pores`, which is
    0 or 1, it is the point-biserial correlation); Spearman's rho how well any rising curve does.

    Args:
        table: table from `experiments_table`.
        quantities: columns, such as `area_delta_avg`.
        pores: columns, such as `has_pores` and `pores_from_keyhole`.

    Returns:
        A row for each pair: `quantity`, `pores`, `experiments` (with both values), `pearson`,
        `pearson_p`, `spearman`, `spearman_p`. The p-values are two-sided, of one pair at a time.
        NaN where there are fewer than three experiments, or one of the two is constant.

    Example:
        >>> table = pd.DataFrame({"area_delta_avg": [0.1, 0.2, 0.4], "pores_formed": [0, 1, 3]})
        >>> correlations(table, ["area_delta_avg"], ["pores_formed"]).round(3).T.to_dict()[0]
        {'quantity': 'area_delta_avg', 'pores': 'pores_formed', 'experiments': 3, 'pearson': 1.0,
         'pearson_p': 0.0, 'spearman': 1.0, 'spearman_p': 0.0}
    """
    # It takes half a second to import, which the other commands need not wait for.
    from scipy.stats import pearsonr, spearmanr

    rows = []
    for quantity in quantities:
        for measure in pores:
            pair = table[[quantity, measure]].astype(float).dropna()
            known = len(pair) > 2 and bool((pair.nunique() > 1).all())
            linear = pearsonr(*pair.T.to_numpy()) if known else (np.nan, np.nan)
            monotonic = spearmanr(*pair.T.to_numpy()) if known else (np.nan, np.nan)
            rows.append((quantity, measure, len(pair), *linear, *monotonic))
    return pd.DataFrame(
        rows,
        columns=[
            *("quantity", "pores", "experiments"),
            *("pearson", "pearson_p", "spearman", "spearman_p"),
        ],
    )


LEAST_POINTS = 4
"""Experiments from which on a group has an ellipse: through three points goes one of any shape."""


@dataclass(frozen=True)
class Plane:
    """Ellipses and line of a correlation map (Figure 7c, d).

    Attributes:
        x: column of the table.
        y: column of the table.
        experiments: number of experiments with a value in both columns.
        with_pores: ellipse of the experiments with pores; None of fewer than four.
        without_pores: ellipse of those without; None of fewer than four.
        line: line between the groups; None if a group has fewer than two.
        note: why there is no line; empty where there is one.

    Example:
        >>> table = pd.DataFrame({
        ...     "has_pores": [False] * 3 + [True] * 4,
        ...     "area_delta_avg": [0.1, 0.12, 0.15, 0.3, 0.35, 0.4, 0.32],
        ...     "area_delta_max": [0.3, 0.5, 0.4, 0.9, 0.8, 1.1, 0.9],
        ... })
        >>> plane = describe_plane(table, "area_delta_avg", "area_delta_max")
        >>> plane.experiments, plane.with_pores.points, plane.without_pores, plane.line.accuracy
        (7, 4, None, 1.0)
    """

    x: str
    y: str
    experiments: int
    with_pores: CovarianceEllipse | None
    without_pores: CovarianceEllipse | None
    line: DividingLine | None
    note: str


def describe_plane(table: pd.DataFrame, x: str, y: str, deviations: float = 2.0) -> Plane:
    """Fit an ellipse to each group and a line between them, with enough experiments.

    Args:
        table: table from `experiments_table`; rows without a value in `x` or `y` are left out.
        x: column.
        y: column.
        deviations: half axes of the ellipses, see `covariance_ellipse`.

    Example:
        >>> table = pd.DataFrame({"has_pores": [True] * 3, "x": [1, 2, 4.0], "y": [1, 3, 2.0]})
        >>> plane = describe_plane(table, "x", "y")
        >>> plane.with_pores, plane.without_pores
        (None, None)
        >>> plane.note
        'A dividing line needs at least 2 experiments with pores and 2 without; there are 3 with
         and 0 without.'
    """
    rows = table[["has_pores", x, y]].dropna()
    ellipses = []
    for group in (rows[rows["has_pores"]], rows[~rows["has_pores"].astype(bool)]):
        enough = len(group) >= LEAST_POINTS
        ellipses.append(covariance_ellipse(group[x], group[y], deviations) if enough else None)
    line, note = None, ""
    try:
        line = dividing_line(rows, x, y)
    except ValueError as error:
        note = str(error)
    return Plane(x, y, len(rows), ellipses[0], ellipses[1], line, note)


FOLDS = 5
REPEATS = 10

_NEWTON_STEPS = 100
_SMALLEST_STEP = 1e-10


@dataclass(frozen=True)
class DividingLine:
    """Line at which a pore is as likely as not, `y = slope * x + offset`.

    Attributes:
        log_odds: a, b, c of the log odds of pores, `a x + b y + c`; the line is where they are 0.
        accuracy: share of experiments on the right side of a line that was fitted without them.
        majority_accuracy: share that is right when all are said to belong to the larger group; a
            line is worth something only by what it adds to this.
        with_pores: number of experiments.
        without_pores: number of experiments.

    Example:
        Pores where the sum of both quantities is above 1:

        >>> line = DividingLine((4.0, 4.0, -4.0), accuracy=0.9, majority_accuracy=0.6,
        ...                     with_pores=12, without_pores=8)
        >>> line.slope, line.offset
        (-1.0, 1.0)
        >>> round(line.accuracy - line.majority_accuracy, 2)  # what the line is worth
        0.3
    """

    log_odds: tuple[float, float, float]
    accuracy: float
    majority_accuracy: float
    with_pores: int
    without_pores: int

    @property
    def slope(self) -> float:
        """Slope in units of y per unit of x; infinite for an upright line."""
        a, b, _ = self.log_odds
        return -a / b if b else np.inf

    @property
    def offset(self) -> float:
        """Height of the line at x = 0; NaN where the line is upright."""
        _, b, c = self.log_odds
        return -c / b if b else np.nan


def dividing_line(table: pd.DataFrame, x: str, y: str) -> DividingLine:
    """Fit a line between experiments with and without pores by logistic regression (Figure 7c, d).

    The two columns are standardised before the fit (L2 penalty with C = 1, scikit-learn's
    default), the line is given in their own units. Its accuracy is that of stratified
    cross-validation: 5 folds (fewer where a group is smaller), the mean over 10 divisions into
    folds, always the same ones.

    Args:
        table: table from `experiments_table`; rows without a value in `x` or `y` are left out.
        x: column.
        y: column.

    Raises:
        ValueError: fewer than two experiments with pores, or without.

    Example:
        >>> table = pd.DataFrame({
        ...     "has_pores": [False, False, True, True],
        ...     "area_delta_avg": [0.1, 0.2, 0.4, 0.5],
        ...     "area_delta_max": [0.5, 0.5, 0.5, 0.5],
        ... })
        >>> line = dividing_line(table, "area_delta_avg", "area_delta_max")
        >>> line.accuracy, line.majority_accuracy, line.slope
        (1.0, 0.5, inf)
    """
    rows = table[["has_pores", x, y]].dropna()
    points, has_pores = rows[[x, y]].to_numpy(float), rows["has_pores"].to_numpy(bool)
    with_pores, without_pores = int(has_pores.sum()), int((~has_pores).sum())
    fewest = min(with_pores, without_pores)
    if fewest < 2:
        raise ValueError(
            "A dividing line needs at least 2 experiments with pores and 2 without; there are "
            f"{with_pores} with and {without_pores} without."
        )
    scores = []
    for is_test in _held_out(has_pores, min(FOLDS, fewest)):
        slopes, constant = _log_odds(points[~is_test], has_pores[~is_test])
        found = points[is_test] @ slopes + constant > 0
        scores.append(np.mean(found == has_pores[is_test]))
    slopes, constant = _log_odds(points, has_pores)
    return DividingLine(
        log_odds=(float(slopes[0]), float(slopes[1]), constant),
        accuracy=float(np.mean(scores)),
        majority_accuracy=1 - fewest / len(rows),
        with_pores=with_pores,
        without_pores=without_pores,
    )


def _held_out(has_pores: np.ndarray, folds: int) -> Iterator[np.ndarray]:
    """Yield masks of experiments that are held out in turn, equally many of each kind.

    The folds equal scikit-learn's `RepeatedStratifiedKFold` with `random_state=0`.
    """
    rng = np.random.RandomState(0)
    kind = has_pores != has_pores[0]  # numbered in the order in which they come
    in_order = np.sort(kind)
    for _ in range(REPEATS):
        fold_of = np.empty(len(kind), int)
        for one in (False, True):
            counts = [np.count_nonzero(in_order[fold::folds] == one) for fold in range(folds)]
            places = np.arange(folds).repeat(counts)
            rng.shuffle(places)
            fold_of[kind == one] = places
        for fold in range(folds):
            yield fold_of == fold


def _log_odds(points: np.ndarray, has_pores: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit slopes and constant of a logistic regression by Newton's method.

    Columns are standardised, and their slopes kept small by half of their squares (C = 1).
    """
    middle, spread = points.mean(axis=0), points.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([(points - middle) / spread, np.ones(len(points))])
    penalty = np.diag([1.0] * points.shape[1] + [0.0])
    found = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        odds = 1 / (1 + np.exp(-(design @ found)))
        slope = design.T @ (odds - has_pores) + penalty @ found
        curvature = (design * (odds * (1 - odds))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, slope)
        found -= step
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    slopes = found[:-1] / spread
    return slopes, float(found[-1] - slopes @ middle)
