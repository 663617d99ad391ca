"""Where this package keeps what it can get or measure again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The folder in the environment variable AMSEG_CACHE, else one in the user's cache."""
    given = os.environ.get("AMSEG_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("amseg-keras")
