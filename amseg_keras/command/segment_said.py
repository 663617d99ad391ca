"""What the user is told of a segmented stack."""

from __future__ import annotations

import sys
from typing import Any


def said_of(name: str, record: dict[str, Any]) -> list[str]:
    """Say what the user should know of a finished stack; the errors of its frames."""
    from tqdm import tqdm

    for note in record["notes"]:
        tqdm.write(f"  {name}: {note}", file=sys.stderr)
    if record["pixel_size_from"] == "preset":
        tqdm.write(
            f"  {name}: pixel size {record['pixel_size_um']:g} um assumed, as in the "
            "preset's training frames; give --pixel-size if yours differ",
            file=sys.stderr,
        )
    return [frame["error"] for frame in record["unreadable_frames"] if not frame.get("missing")]
