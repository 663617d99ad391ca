"""How the fluctuation of keyholes and the pores they leave go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class CovarianceEllipse:
    """Where a group of points lies: centre, extent and direction.

    Attributes:
        x: mean of the points' x.
        y: mean of their y.
        half_axes: long and short half axis, in the units of the data.
        angle_deg: of the long axis to the x axis, from -90 to 90, counted towards +y.
        deviations: how many standard deviations the half axes are long.
        points: how many points there are.

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
    """Ellipse of a group of points from the eigenvectors of their covariance (Figure 7c, d).

    The covariance is that of a sample (divided by n - 1). Of points that are normally
    distributed, the ellipse of 1, 2, 3 standard deviations holds 39, 86, 99 %.

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
    """Correlation coefficients of every quantity with every measure of the pores.

    Pearson's r tells how well a straight line goes through the points (with `has_pores`, which is
    0 or 1, it is the point-biserial correlation); Spearman's rho how well any rising curve does.

    Args:
        table: from `experiments_table`.
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
