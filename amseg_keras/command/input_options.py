"""Options for inputs that can be read in two ways."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def input_options(command: Command) -> Command:
    """Add `--axes`, `--sequence-by`, `--separate` and `--join`, handed over as `reading`."""

    @functools.wraps(command)
    def with_reading(
        *args: Any,
        axes: str | None,
        sequence_by: str | None,
        separate: bool,
        join: bool,
        **rest: Any,
    ) -> Any:
        from amseg_keras.read import ReadError, ReadOptions

        try:
            reading = ReadOptions(axes, sequence_by, separate, join)
        except ReadError as error:
            raise click.UsageError(str(error)) from error
        return command(*args, reading=reading, **rest)

    decorated: Command = with_reading
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "--axes",
        metavar="LETTERS",
        help="Axes of TIFF, NumPy, HDF5 and Zarr arrays, such as TYX or YXT: Y rows, X columns, S "
        "colours, any other letter frames. Default: what the file says.",
    ),
    click.option(
        "--sequence-by",
        metavar="NUMBER",
        help="Number in the file names that counts the frames: first, last, its position from 1, "
        "or the text before it. Default: the number that changes.",
    ),
    click.option("--separate", is_flag=True, help="Every file is a stack of its own."),
    click.option(
        "--join",
        is_flag=True,
        help="Numbered files are one stack, also files of several frames and files given one by "
        "one.",
    ),
]
