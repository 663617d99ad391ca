"""Options of all commands that use a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def model_options(command: Command) -> Command:
    """`--model`, `--revision` and `--device`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-m",
        "--model",
        default="amsegnet-esrf",
        show_default=True,
        help="Preset (see: amseg presets), preset folder, or owner/repo on the Hugging Face Hub.",
    ),
    click.option("--revision", help="Tag, branch or commit of an owner/repo."),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        help="auto, cpu, gpu, or one of several: gpu:1.",
    ),
]
