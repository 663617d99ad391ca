"""Results as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The same value of JSON's own kinds: numbers of NumPy plain, and null for NaN.

    Example:
        >>> plain({"iou": np.float32(0.5), "pore": float("nan")})
        {'iou': 0.5, 'pore': None}
    """
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
