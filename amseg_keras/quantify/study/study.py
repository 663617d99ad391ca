"""What many experiments show together, from a table with a row for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


KEYHOLE_PORE = "largest_keyhole_pore_equivalent_diameter"

_TOLD_APART_BY = ("experiment", "has_pores")


def experiments_table(
    summaries: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """One row for each experiment: whether it has pores, its parameters, what was measured.

    Args:
        summaries: `Quantities.summary` of each experiment, with its `largest_keyhole_pore`, by
            its name.
        parameters: process parameters of each experiment, by the same names: `material`,
            `process`, `power_W`, `speed_mm_s` and any others; experiments may lack some or all.
            One that is named as a measured quantity gets `given_` before its name.

    Returns:
        Columns `experiment`; `has_pores` (bool: a pore formed from the keyhole during the
        recording); the parameters; the summary's columns. Experiments keep their order.

    Raises:
        ValueError: there is no experiment.

    Example:
        >>> experiments_table(
        ...     {"a": {"pores_from_keyhole": 2, "area_delta_avg": 0.3},
        ...      "b": {"pores_from_keyhole": 0, "area_delta_avg": 0.1}},
        ...     {"a": {"power_W": 300.0}, "b": {"power_W": 200.0}},
        ... )
          experiment  has_pores  power_W  pores_from_keyhole  area_delta_avg
        0          a       True    300.0                   2             0.3
        1          b      False    200.0                   0             0.1
    """
    if not summaries:
        raise ValueError("There is no experiment.")
    measured = pd.DataFrame([dict(summary) for summary in summaries.values()])
    given = pd.DataFrame([dict((parameters or {}).get(name, {})) for name in summaries])
    taken = {*measured.columns, *_TOLD_APART_BY}
    given = given.rename(columns={name: f"given_{name}" for name in given if name in taken})
    names = pd.DataFrame(
        {"experiment": list(summaries), "has_pores": measured["pores_from_keyhole"] > 0}
    )
    return pd.concat((names, given, measured), axis=1)


def largest_keyhole_pore(tracks: pd.DataFrame) -> dict[str, float]:
    """Equivalent diameter of the largest pore that came from the keyhole (equation 5).

    The pores of earlier tracks, which are often larger, do not count; the `summary` does not tell
    them apart.

    Args:
        tracks: `Quantities.tracks`.

    Returns:
        `largest_keyhole_pore_equivalent_diameter_px` and, with a pixel size, `..._um`, to go with
        the `summary`; NaN where there is none.

    Example:
        >>> tracks = pd.DataFrame({"from_keyhole": [True, False], "largest_area_px": [78.54, 500]})
        >>> round(largest_keyhole_pore(tracks)["largest_keyhole_pore_equivalent_diameter_px"], 3)
        10.0
    """
    own = tracks[tracks["from_keyhole"].astype(bool)]
    return {
        f"{KEYHOLE_PORE}_{unit}": 2 * math.sqrt(own[column].max() / math.pi)
        for unit, column in (("px", "largest_area_px"), ("um", "largest_area_um2"))
        if column in own
    }


def keyhole_frames(frames: Mapping[str, pd.DataFrame], table: pd.DataFrame) -> pd.DataFrame:
    """Every frame with a keyhole of all experiments, with `has_pores` of its experiment.

    Args:
        frames: `Quantities.frames` of each experiment, by its name.
        table: from `experiments_table`, with these experiments.

    Returns:
        `experiment` and `has_pores`, then the columns of `frames`.

    Example:
        >>> table = pd.DataFrame({"experiment": ["a"], "has_pores": [True]})
        >>> frames = pd.DataFrame({"frame": [0, 1], "keyhole_area_px": [0, 80]})
        >>> keyhole_frames({"a": frames}, table)
          experiment  has_pores  frame  keyhole_area_px
        0          a       True      1               80
    """
    every = pd.concat(frames, names=["experiment"]).reset_index(level="experiment")
    every = every[every["keyhole_area_px"] > 0].reset_index(drop=True)
    return table[[*_TOLD_APART_BY]].merge(every, on="experiment")
