"""Messages of `amseg segment` about a finished stack."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """Collect the failures and warnings that `amseg segment` reports at its end.

    Attributes:
        errors: Inputs and frames that failed, a sentence each.
        warned: Names of the stacks that do not look like what the preset knows.
    """

    errors: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def say(self, name: str, record: dict[str, Any]) -> None:
        """Say what the user should know of a finished stack, and keep what failed of it.

        Args:
            name: Name of the stack.
            record: Its `run.json`.
        """
        from tqdm import tqdm

        from amseg_keras.runs.segment import said_of_pixel_size

        for note in record["notes"]:
            tqdm.write(f"  {name}: {note}", file=sys.stderr)
        for note in said_of_pixel_size(record["pixel_size_um"], record["pixel_size_from"]):
            tqdm.write(f"  {name}: {note}", file=sys.stderr)
        warnings = record.get("warnings") or []
        for warning in warnings:
            tqdm.write(f"  {name}: CAUTION: {warning['sentence']}", file=sys.stderr)
        if warnings:
            self.warned.append(name)
        self.errors += [
            frame["error"] for frame in record["unreadable_frames"] if not frame.get("missing")
        ]
