"""`amseg dataset`: what a folder of labelled frames holds, and how it is made."""

from __future__ import annotations

import click

from amseg_keras.command.dataset.fetch import fetch
from amseg_keras.command.dataset.import_masks import import_
from amseg_keras.command.dataset.info import info
from amseg_keras.command.dataset.split import split
from amseg_keras.command.dataset.validate import validate


@click.group()
def dataset() -> None:
    """Look at, check, split, import or fetch labelled frames."""


dataset.add_command(info)
dataset.add_command(validate)
dataset.add_command(split)
dataset.add_command(import_)
dataset.add_command(fetch)
