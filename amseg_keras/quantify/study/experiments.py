"""Many experiments as one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

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
