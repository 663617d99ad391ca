"""Options that `amseg segment` and `amseg watch` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from amseg_keras.report.label_files import LABEL_WRITERS

Command = Callable[..., Any]

POSITIVE = click.FloatRange(min=0, min_open=True)


def segment_options(command: Command) -> Command:
    """`--format`, `--pixel-size` and `--batch-size`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-f",
        "--format",
        "label_format",
        type=click.Choice(list(LABEL_WRITERS)),
        default="tiff",
        show_default=True,
        help="Label maps as one TIFF stack, as a PNG per frame, as HDF5, or as Zarr; all "
        "compressed.",
    ),
    click.option(
        "--pixel-size",
        type=POSITIVE,
        metavar="UM",
        help="Size of a pixel in um. Default: what the file says, else the preset's.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        help="Frames given to the network at once. Default: up to 4, on a GPU 16, by frame size.",
    ),
]
