"""Sizes of the small network that are tried, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CANDIDATES: Mapping[str, dict[str, Any]] = {
    "conv-16": {"base_filters": 16},
    "conv-24": {"base_filters": 24},
    "conv-32": {"base_filters": 32},
    "conv-40": {"base_filters": 40},
}
"""Arguments of `AMSegNetLite`."""

CHOSEN = "conv-32"
