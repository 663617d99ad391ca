"""Options that all commands that train have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from amseg_keras.command.choices import RecipeDefaults

Command = Callable[..., Any]


class Shape(click.ParamType):  # type: ignore[type-arg]
    """Height and width as 256x512."""

    name = "HxW"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        try:
            height, width = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is no height and width, such as 256x512", param, ctx)
        return height, width


class ChannelNames(click.ParamType):  # type: ignore[type-arg]
    """Input channels as frame,motion."""

    name = "NAME,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in str(value).split(","))


def facility_shares(texts: tuple[str, ...]) -> dict[str, float]:
    """Read FACILITY or FACILITY=SHARE, several times.

    Raises:
        ValueError: A share is no number.

    Example:
        >>> facility_shares(("esrf=0.75", "aps"))
        {'esrf': 0.75, 'aps': 1.0}
    """
    shares: dict[str, float] = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            raise ValueError(f"{text!r} is no share of a facility, such as esrf=0.75") from None
    return shares


def data_option(
    required: bool = True, text: str = "Folder of a data set."
) -> Callable[[Command], Command]:
    """`--data`, the folder of a data set."""
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option("-d", "--data", type=kind, required=required, help=text)


def run_option() -> Callable[[Command], Command]:
    """`--out`, the folder of the run."""
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option("-o", "--out", type=kind, required=True, help="Folder of the run.")


def recipe_options(default: RecipeDefaults) -> Callable[[Command], Command]:
    """Add the options of a recipe that every command which trains has."""

    def with_options(command: Command) -> Command:
        for option in reversed(_of_recipe(default)):
            command = option(command)
        return command

    return with_options


def _of_recipe(default: RecipeDefaults) -> list[Callable[[Command], Command]]:
    whole = click.IntRange(min=1)
    shape = "{}x{}".format(*default.shape)
    return [
        click.option("--epochs", type=whole, default=default.epochs, show_default=True),
        click.option("--batch-size", type=whole, default=default.batch_size, show_default=True),
        click.option(
            "--shape", type=Shape(), default=shape, show_default=True, help="Frames are cut to it."
        ),
        click.option(
            "--learning-rate", type=float, default=default.learning_rate, show_default=True
        ),
        click.option(
            "--averaging",
            type=float,
            default=default.averaging,
            show_default=True,
            help="Momentum of the averaged weights, less for trainings of few steps; 0 for none.",
        ),
        click.option(
            "--patience",
            type=whole,
            default=default.patience,
            show_default=True,
            help="Stop after so many epochs without gain.",
        ),
        click.option("--seed", type=click.IntRange(min=0), default=default.seed, show_default=True),
    ]
