"""`amseg dataset`: what a folder of labelled frames holds, and how it is made."""

from __future__ import annotations

import click


@click.group()
def dataset() -> None:
    """Look at, check, split, import or fetch labelled frames."""
