"""How a command that goes through many stacks shows its progress and ends."""

from __future__ import annotations

from collections.abc import Sequence

import click
from tqdm import tqdm


def advance(bar: tqdm, done: int) -> None:
    """Bring a progress bar to `done`."""
    if bar.n == 0:
        bar.initial = done  # what an earlier run did says nothing about the time left
    bar.update(done - bar.n)


def finish(errors: Sequence[str]) -> None:
    """Name what failed, and leave with the exit code that says whether anything did."""
    if not errors:
        return
    click.echo(f"\n{len(errors)} of the inputs or their frames failed:", err=True)
    for error in errors:
        click.echo(f"  {error}", err=True)
    raise SystemExit(1)
