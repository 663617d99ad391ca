"""Experiments with and without pores in the plane of two quantities."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from amseg_keras.quantify.study.correlation import CovarianceEllipse, covariance_ellipse
from amseg_keras.quantify.study.dividing_line import DividingLine, dividing_line

LEAST_POINTS = 4
"""Experiments from which on a group has an ellipse: through three points goes one of any shape."""


@dataclass(frozen=True)
class Plane:
    """What a correlation map shows besides its points (Figure 7c, d).

    Attributes:
        x: column of the table.
        y: column of the table.
        experiments: how many have a value in both.
        with_pores: ellipse of the experiments with pores; None of fewer than four.
        without_pores: ellipse of those without; None of fewer than four.
        line: between the two; None where a group has fewer than two.
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
    """Ellipse of each group and the line between them, as far as there are enough experiments.

    Args:
        table: from `experiments_table`; rows without a value in `x` or `y` are left out.
        x: column.
        y: column.
        deviations: of the ellipses, see `covariance_ellipse`.

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
