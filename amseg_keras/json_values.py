"""Results as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def json_value(value: Any) -> Any:
    """Turn a value into kinds that JSON has: numbers of NumPy into plain ones, NaN into null.

    Example:
        >>> json_value({"iou": np.float32(0.5), "pore": float("nan")})
        {'iou': 0.5, 'pore': None}
    """
    if isinstance(value, dict):
        return {str(key): json_value(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [json_value(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
