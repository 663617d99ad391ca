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

MEASURED = ("openvino-bf16", "openvino-int8")
"""Engines that are measured on the frames of each stack."""


def engine_option(command: Command) -> Command:
    """`--engine`."""
    return click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="auto",
        show_default=True,
        help="What runs the network. auto: the first of OpenVINO, ONNX Runtime and Keras that is "
        "installed, in float32; on a GPU Keras. openvino-bf16 and openvino-int8 are faster and "
        "less exact.",
    )(command)


class EngineChoice:
    """The network on the engine that the user chose, for one stack after the other.

    Args:
        segmenter: the network; stays as it is.
        engine: from `engine_option`.
    """

    def __init__(self, segmenter: Segmenter, engine: str) -> None:
        self._given, self._engine = segmenter, engine
        self._ready: tuple[Segmenter, str] | None = None

    def for_stack(self, frames: Frames) -> tuple[Segmenter, str | None]:
        """Return the segmenter for a stack, and a line to print if it is another than before.

        Raises:
            BadParameter: the engine is not installed or cannot run here.
            ReadError: no frame of the stack can be read.
        """
        if self._ready is not None and self._engine not in MEASURED:
            return self._ready[0], None
        segmenter = self._given.another() if self._ready is None else self._ready[0]
        said = compiled(segmenter, self._engine, frames)
        self._ready = segmenter, said
        return segmenter, said


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
