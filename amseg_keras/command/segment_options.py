"""Options that `amseg segment` and `amseg watch` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from amseg_keras.command.choices import LABEL_FORMATS

Command = Callable[..., Any]


class Scale(click.ParamType):  # type: ignore[type-arg]
    """`auto` or a factor."""

    name = "auto|FACTOR"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        from amseg_keras.preprocess.inputs import checked_scale

        if value == "auto":
            return "auto"
        try:
            return checked_scale(float(value))
        except ValueError as error:
            known = "is not possible" in str(error)
            self.fail(str(error) if known else f"{value!r}: give auto or a factor", param, ctx)


class Background(click.ParamType):  # type: ignore[type-arg]
    """How the background of the motion channel is made, as `BackgroundPolicy.parse` reads it."""

    name = "POLICY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from amseg_keras.preprocess.background_policy import BackgroundPolicy

        try:
            return str(BackgroundPolicy.parse(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def background_option(command: Command) -> Command:
    """`--background`."""
    return click.option(
        "--background",
        type=Background(),
        default="auto",
        show_default=True,
        help="For networks that see what moves, the frames of the background: auto, recording, "
        "range:A-B (frames A to B, as before the laser), previous:N,M (N frames before the M that "
        "precede a frame), so-far or none; recording+register if the specimen drifts.",
    )(command)


POSITIVE = click.FloatRange(min=0, min_open=True)


def segment_options(command: Command) -> Command:
    """`--format`, `--pixel-size`, `--frame-rate`, `--scale` and `--batch-size`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-f",
        "--format",
        "label_format",
        type=click.Choice(LABEL_FORMATS),
        default="tiff",
        show_default=True,
        help="Label maps as one TIFF stack, as a PNG per frame, as HDF5, or as Zarr; all "
        "compressed.",
    ),
    click.option(
        "--pixel-size",
        type=POSITIVE,
        metavar="UM",
        help="Size of a pixel in um. Default: what the file says, else areas are in pixels only.",
    ),
    click.option(
        "--assume-pixel-size",
        is_flag=True,
        help="Without a pixel size, take the pixel size of the preset's training frames. All "
        "results in um are then marked as assumed.",
    ),
    click.option(
        "--frame-rate",
        type=POSITIVE,
        metavar="HZ",
        help="Frames per second of the recording, for amseg quantify. Default: what the file says.",
    ),
    click.option(
        "--scale",
        type=Scale(),
        default="1",
        show_default=True,
        help="Resample frames for the network: 2 makes them twice as high and wide, auto gives "
        "them the pixel size of its training. Labels have the size of the frames.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        help="Frames given to the network at once. Default: up to 4, on a GPU 16, by frame size.",
    ),
]
