"""`amseg dataset`: what a folder of labelled frames holds, and how it is made."""

from __future__ import annotations

import click

from amseg_keras.command.dataset.existing import info, split, validate
from amseg_keras.command.dataset.fetch import fetch
from amseg_keras.command.dataset.import_masks import import_


@click.group()
def dataset() -> None:
    """Look at, check, split, import or fetch labelled frames."""


dataset.add_command(info)
dataset.add_command(validate)
dataset.add_command(split)
dataset.add_command(import_)
dataset.add_command(fetch)
