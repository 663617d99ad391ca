"""What many experiments show together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.quantify.study.correlation import correlations
from amseg_keras.quantify.study.plane import Plane, describe_plane

_FLUCTUATIONS = ("area_delta_avg", "area_delta_max", "depth_delta_avg", "depth_delta_max")
_PORES = ("has_pores", "pores_from_keyhole")


@dataclass(frozen=True)
class Study:
    """Experiments, and how their keyholes and pores go together.

    Attributes:
        table: from `experiments_table`.
        planes: largest against mean fluctuation of the area, area against depth, further ones.
        correlations: from `correlations`: fluctuations, depth and area with pores.
        notes: one sentence for each thing that should be known of it.

    Example:
        >>> from amseg_keras.quantify.study import experiments_table
        >>> summaries = {
        ...     f"scan{number}": {
        ...         "pores_from_keyhole": pores, "median_keyhole_depth_px": 60 + pores,
        ...         "median_keyhole_area_px": 2000 + pores, "area_delta_avg": delta,
        ...         "area_delta_max": 2 * delta, "depth_delta_avg": delta,
        ...         "depth_delta_max": 2 * delta,
        ...     }
        ...     for number, (pores, delta) in enumerate([(0, 0.1), (0, 0.15), (2, 0.3), (3, 0.4)])
        ... }
        >>> study = study_experiments(experiments_table(summaries))
        >>> pairs = study.correlations.set_index(["quantity", "pores"])
        >>> float(pairs.loc[("area_delta_avg", "pores_from_keyhole"), "pearson"].round(2))
        0.99
        >>> study.planes[0].line.accuracy, study.notes
        (1.0, ())
    """

    table: pd.DataFrame
    planes: tuple[Plane, ...]
    correlations: pd.DataFrame
    notes: tuple[str, ...]


def study_experiments(table: pd.DataFrame, further: Sequence[tuple[str, str]] = ()) -> Study:
    """Correlate fluctuation and size of keyholes with pores (section 3.2, Figure 7).

    Args:
        table: from `experiments_table`.
        further: columns x and y of more correlation maps.

    Raises:
        ValueError: one of these columns is not in the table, or holds no numbers.

    Example:
        >>> from amseg_keras.quantify.study import experiments_table
        >>> measured = {
        ...     "pores_from_keyhole": 1, "area_delta_avg": 0.2, "area_delta_max": 0.5,
        ...     "depth_delta_avg": 0.1, "depth_delta_max": 0.3, "median_keyhole_depth_um": 120.0,
        ...     "median_keyhole_area_um2": 9000.0,
        ... }
        >>> study = study_experiments(experiments_table({"a": measured}))
        >>> [(plane.x, plane.y) for plane in study.planes]
        [('area_delta_avg', 'area_delta_max'),
         ('median_keyhole_depth_um', 'median_keyhole_area_um2')]
    """
    numbers = table.select_dtypes("number").columns
    for name in (name for pair in further for name in pair):
        if name not in numbers:
            raise ValueError(f"{name} is no column of numbers; there are {', '.join(numbers)}.")
    depth = column_with_unit(table, "median_keyhole_depth")
    area = column_with_unit(table, "median_keyhole_area")
    pairs = [("area_delta_avg", "area_delta_max"), (depth, area), *further]
    planes = tuple(describe_plane(table, x, y) for x, y in pairs)
    notes = []
    if left_out := len(table) - planes[0].experiments:
        notes.append(
            f"{left_out} of {len(table)} experiments have no fluctuation (a keyhole in fewer than "
            "two frames)"
        )
    notes += dict.fromkeys(plane.note for plane in planes if plane.note)
    coefficients = correlations(table, (*_FLUCTUATIONS, depth, area), _PORES)
    return Study(table, planes, coefficients, tuple(notes))
