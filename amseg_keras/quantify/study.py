"""Study many experiments: keyholes and pores, and errors against true labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.quantify.correlation import (
    CovarianceEllipse,
    DividingLine,
    Plane,
    correlations,
    covariance_ellipse,
    describe_plane,
    dividing_line,
)
from amseg_keras.quantify.scale import UNITS, column_with_unit

__all__ = [
    "CovarianceEllipse",
    "DividingLine",
    "Plane",
    "Study",
    "correlations",
    "covariance_ellipse",
    "describe_plane",
    "dividing_line",
    "error_statistics",
    "experiments_table",
    "frame_errors",
    "keyhole_frames",
    "largest_keyhole_pore",
    "study_experiments",
]

QUANTITIES = ("keyhole_area", "keyhole_depth", "pore_area")
"""Quantities that are compared; `pore_area` is the area of all pores of a frame."""


def frame_errors(
    predicted: pd.DataFrame, truth: pd.DataFrame, material: str, sequence: str = ""
) -> pd.DataFrame:
    """Compute the errors of keyhole area, keyhole depth and total pore area in every frame.

    A frame in which neither labels have the keyhole (or any pore) has no row for it: there is
    nothing to measure, and an error of zero would make the spread look smaller than it is.

    Args:
        predicted: `Quantities.frames` from predicted labels.
        truth: `Quantities.frames` from true labels of the same frames; others are left
            out.
        material: material of the recording, for the table.
        sequence: name of the recording; goes into the table.

    Returns:
        A row for each frame and quantity: `material`, `sequence`, `frame`, `quantity`, `unit`
        ("um", "um2" where both tables have it, else "px"), `truth`, `predicted`, `error`
        (predicted - truth), `relative_error_percent` (of the truth; NaN where the truth is 0).
        What could not be measured (no surface, so no depth) is NaN. Tables of several recordings
        go together by `pandas.concat`.

    Example:
        >>> truth = pd.DataFrame({"frame": [0, 1], "keyhole_area_px": [100, 0]})
        >>> predicted = pd.DataFrame({"frame": [0, 1], "keyhole_area_px": [90, 0]})
        >>> errors = frame_errors(predicted, truth, "Ti6Al4V")
        >>> errors[["frame", "quantity", "unit", "error", "relative_error_percent"]]
           frame      quantity unit  error  relative_error_percent
        0      0  keyhole_area   px  -10.0                   -10.0
    """
    both = predicted.merge(truth, on="frame", suffixes=("", "_true"))
    parts = []
    for quantity in QUANTITIES:
        shared = [unit for unit in UNITS if f"{quantity}_{unit}_true" in both]
        if not shared:
            continue
        column = f"{quantity}_{shared[0]}"
        part = pd.DataFrame(
            {
                "material": material,
                "sequence": sequence,
                "frame": both["frame"],
                "quantity": quantity,
                "unit": shared[0],
                "truth": both[f"{column}_true"].astype(float),
                "predicted": both[column].astype(float),
            }
        )
        parts.append(part[(part["truth"] > 0) | (part["predicted"] > 0)])
    errors = pd.concat(parts, ignore_index=True)
    errors["error"] = errors["predicted"] - errors["truth"]
    relative = 100 * errors["error"] / errors["truth"]
    errors["relative_error_percent"] = relative.where(errors["truth"] > 0)
    return errors


def error_statistics(errors: pd.DataFrame) -> pd.DataFrame:
    """Compute bias, spread and quartiles of the errors, by material and of all materials.

    Args:
        errors: errors of one or more recordings, from `frame_errors`.

    Returns:
        A row for each quantity, unit and material ("all" last). `frames` is the number of frames,
        `missed` counts those with the quantity in the truth only, `invented` those in the
        prediction only. `bias` (mean), `spread` (standard deviation of a sample),
        `lower_quartile`, `median` and `upper_quartile` describe the error. The same columns with
        `relative_` before and `_percent` behind describe the relative error.

    Example:
        >>> errors = pd.DataFrame({
        ...     "material": "Ti6Al4V", "quantity": "keyhole_depth", "unit": "um",
        ...     "truth": [100.0, 200, 100], "predicted": [110.0, 200, 105],
        ...     "error": [10.0, 0, 5], "relative_error_percent": [10.0, 0, 5],
        ... })
        >>> error_statistics(errors)[["material", "frames", "bias", "relative_bias_percent"]]
          material  frames  bias  relative_bias_percent
        0  Ti6Al4V       3   5.0                    5.0
        1      all       3   5.0                    5.0
    """
    together = pd.concat((errors, errors.assign(material="all")))
    rows = []
    for keys, group in together.groupby(["quantity", "unit", "material"], sort=False):
        row = dict(zip(("quantity", "unit", "material"), keys, strict=True))
        in_truth, in_prediction = group["truth"] > 0, group["predicted"] > 0
        row |= {
            "frames": len(group),
            "missed": int((in_truth & ~in_prediction).sum()),
            "invented": int((in_prediction & ~in_truth).sum()),
        }
        row |= _spread(group["error"])
        relative = _spread(group["relative_error_percent"])
        row |= {f"relative_{name}_percent": value for name, value in relative.items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate(QUANTITIES)}
    return table.sort_values(
        "quantity", key=lambda names: names.map(order), kind="stable"
    ).reset_index(drop=True)


def _spread(values: pd.Series) -> dict[str, float]:
    known = values.dropna()
    quartiles = np.quantile(known, (0.25, 0.5, 0.75)) if len(known) else [np.nan] * 3
    return {
        "bias": float(known.mean()),
        "spread": float(known.std()),
        "lower_quartile": float(quartiles[0]),
        "median": float(quartiles[1]),
        "upper_quartile": float(quartiles[2]),
    }


_FLUCTUATIONS = ("area_delta_avg", "area_delta_max", "depth_delta_avg", "depth_delta_max")
_PORES = ("has_pores", "pores_from_keyhole")


@dataclass(frozen=True)
class Study:
    """Experiments, and how their keyholes and pores go together.

    Attributes:
        table: table from `experiments_table`.
        planes: largest against mean fluctuation of the area, area against depth, further ones.
        correlations: table from `correlations`: fluctuations, depth and area with pores.
        notes: one sentence for each thing that should be known of it.

    Example:
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
        table: table from `experiments_table`.
        further: columns x and y of more correlation maps.

    Raises:
        ValueError: one of these columns is not in the table, or holds no numbers.

    Example:
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
    """Make a row for each experiment: whether it has pores, its parameters and quantities.

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
    """Return the equivalent diameter of the largest pore from the keyhole (equation 5).

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
    """List every frame with a keyhole of all experiments, with `has_pores` of its experiment.

    Args:
        frames: `Quantities.frames` of each experiment, by its name.
        table: table from `experiments_table`, with these experiments.

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
