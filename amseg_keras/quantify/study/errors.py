"""How far quantities from predicted labels are from those of true labels (Figure 6b-d)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from amseg_keras.quantify.scale import UNITS

QUANTITIES = ("keyhole_area", "keyhole_depth", "pore_area")
"""What is compared; `pore_area` is that of all pores of a frame together."""


def frame_errors(
    predicted: pd.DataFrame, truth: pd.DataFrame, material: str, sequence: str = ""
) -> pd.DataFrame:
    """Error of keyhole area, keyhole depth and total pore area in every frame of a recording.

    A frame in which neither labels have the keyhole (or any pore) has no row for it: there is
    nothing to measure, and an error of zero would make the spread look smaller than it is.

    Args:
        predicted: `Quantities.frames` from predicted labels.
        truth: the same from true labels of the same frames; frames that are not in both are left
            out.
        material: of the recording; goes into the table.
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
    """Bias, spread and quartiles of the errors, by material and of all materials together.

    Args:
        errors: from `frame_errors`, of one or more recordings.

    Returns:
        A row for each quantity, unit and material ("all" last): `frames`, of which `missed` (in
        the truth only) and `invented` (in the prediction only); then `bias` (mean), `spread`
        (standard deviation of a sample), `lower_quartile`, `median`, `upper_quartile` of the
        error, and the same of the relative error with `relative_` before and `_percent` behind.

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
