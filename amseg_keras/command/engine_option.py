"""The option of commands that run a network on many frames, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.choices import ENGINES

if TYPE_CHECKING:
    from amseg_keras.read import Frames
    from amseg_keras.segment import Segmenter

Command = Callable[..., Any]

FEW_FRAMES = 48
"""Of a stack of fewer, finding the fastest engine would take longer than it saves."""


def engine_option(command: Command) -> Command:
    """`--engine`."""
    return click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="auto",
        show_default=True,
        help="What runs the network. auto: the fastest of those installed that compute in "
        "float32, measured once, for stacks of 48 frames and more. openvino-bf16 and "
        "openvino-int8 are faster and less exact.",
    )(command)


class EngineChoice:
    """The network on the engine that the user chose, for one stack after the other.

    Args:
        segmenter: the network; stays as it is.
        engine: from `engine_option`.
    """

    def __init__(self, segmenter: Segmenter, engine: str) -> None:
        from amseg_keras.segment import Segmenter

        self._plain, self._engine = segmenter, engine
        self._fast = Segmenter(segmenter.model, segmenter.info, segmenter.card)

    def for_stack(self, frames: Frames) -> tuple[Segmenter, str | None]:
        """Return the segmenter for a stack, and a line to print about it.

        `"auto"` leaves short stacks to plain Keras, and then there is no line to print.

        Raises:
            BadParameter: the engine is not installed or cannot run here.
            ReadError: no frame of the stack can be read.
        """
        if self._engine == "auto" and len(frames) < FEW_FRAMES:
            return self._plain, None
        return self._fast, compiled(self._fast, self._engine, frames)


def compiled(segmenter: Segmenter, engine: str, frames: Frames | None = None) -> str:
    """Make a segmenter fast; a line to print about it.

    Raises:
        BadParameter: the engine is not installed or cannot run here.
        ReadError: no frame of the stack can be read.
    """
    from amseg_keras.engines import EngineMissingError
    from amseg_keras.read import ReadError

    try:
        return str(segmenter.compile_inference(engine, frames))
    except ReadError:
        raise
    except (EngineMissingError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--engine") from error
