"""What the user is told of a segmented stack."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from amseg_keras.runs.segment import said_of_pixel_size


def said_of(name: str, record: dict[str, Any]) -> list[str]:
    """Say what the user should know of a finished stack; the errors of its frames."""
    for note in record["notes"]:
        tqdm.write(f"  {name}: {note}", file=sys.stderr)
    for note in said_of_pixel_size(record["pixel_size_um"], record["pixel_size_from"]):
        tqdm.write(f"  {name}: {note}", file=sys.stderr)
    return [frame["error"] for frame in record["unreadable_frames"] if not frame.get("missing")]
