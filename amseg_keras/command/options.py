"""Options that several commands share: how inputs are read, what network runs, and how."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.choices import COUNT, ENGINES, LABEL_FORMATS, POSITIVE

if TYPE_CHECKING:
    from amseg_keras.read import Frames
    from amseg_keras.segment import Segmenter

Command = Callable[..., Any]
Option = Callable[[Command], Command]


def with_options(command: Command, options: Sequence[Option]) -> Command:
    """Add options to a command, shown in its help in their order."""
    for option in reversed(options):
        command = option(command)
    return command


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

    return with_options(with_reading, _INPUT_OPTIONS)


_INPUT_OPTIONS: list[Callable[[Command], Command]] = [
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


@dataclass(frozen=True)
class OpenedModel:
    """A trained network, ready.

    Attributes:
        segmenter: The network.
        digest: SHA-256 of its weights.
        device: Device of the network, as Keras names it.
        backend: Backend of Keras, None if the network runs without Keras.
    """

    segmenter: Segmenter
    digest: str
    device: str
    backend: str | None

    def __str__(self) -> str:
        """Name the network and where it is."""
        where = self.device if self.backend is None else f"{self.device} ({self.backend})"
        return f"{self.segmenter.info.name} on {where}"


@contextmanager
def opened_model(
    model: str, revision: str | None, device: str, engine: str = "keras"
) -> Iterator[OpenedModel]:
    """Load what `model_options` name; what is done inside is done on its device.

    Keras is imported if the engine is Keras, if there may be a GPU, or if only Keras can read the
    preset.

    Args:
        device: Device as `--device` takes it.
        engine: Engine as `--engine` takes it.

    Raises:
        BadParameter: There is no such device, or the preset cannot be found or read.
    """
    from amseg_keras.pretrained import PresetError, find_preset
    from amseg_keras.pretrained.preset import weights_digest

    # A wrong name is told at once, before Keras and its backend are imported.
    try:
        preset = find_preset(model, revision)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="--model") from error

    from amseg_keras.segment import from_pretrained

    if _without_keras(device, engine):
        try:
            segmenter = from_pretrained(preset)
        except PresetError as error:
            raise click.BadParameter(str(error), param_hint="--model") from error
        yield OpenedModel(segmenter, weights_digest(preset), "cpu:0", None)
        return

    need_keras()
    import keras

    from amseg_keras.segment.running import choose_device

    try:
        chosen = choose_device(device)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--device") from error
    with keras.device(chosen):
        try:
            segmenter = from_pretrained(preset)
        except PresetError as error:
            raise click.BadParameter(str(error), param_hint="--model") from error
        yield OpenedModel(segmenter, weights_digest(preset), chosen, keras.backend.backend())


def _without_keras(device: str, engine: str) -> bool:
    """Tell whether an engine runs the network on the processor, without Keras."""
    from amseg_keras.backend import may_have_accelerator
    from amseg_keras.engines.engine import installed

    if device.partition(":")[0] not in ("auto", "cpu") or engine == "keras":
        return False
    if engine == "auto" and not (installed("openvino") or installed("onnxruntime")):
        return False
    return device.startswith("cpu") or not may_have_accelerator()


def need_keras() -> None:
    """Refuse to continue without Keras and a backend, in a sentence that names the extra.

    Raises:
        ClickException: No backend of Keras is installed.
    """
    from amseg_keras._on_demand import NO_KERAS
    from amseg_keras.backend import has_backend

    if not has_backend():
        command = click.get_current_context().command_path
        raise click.ClickException(NO_KERAS.replace("this", command, 1))


def model_options(command: Command) -> Command:
    """Add `--model`, `--revision` and `--device`."""
    return with_options(command, _MODEL_OPTIONS)


_MODEL_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-m",
        "--model",
        default="auto",
        help="Preset (see: amseg presets), preset folder, or owner/repo on the Hugging Face Hub; "
        "auto: the preset that measures best; amseg segment has one for recordings and one for "
        "single frames.",
    ),
    click.option("--revision", help="Tag, branch or commit of an owner/repo."),
    click.option("--device", default="auto", help="auto, cpu, gpu, or one of several: gpu:1."),
]


MEASURED = ("openvino-bf16", "openvino-int8")
"""Engines that are measured on the frames of each stack."""


def engine_option(command: Command) -> Command:
    """Add `--engine`."""
    return click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="auto",
        help="What runs the network. auto: the first of OpenVINO, ONNX Runtime and Keras that is "
        "installed, in float32; on a GPU Keras. openvino-bf16 and openvino-int8 are faster and "
        "less exact.",
    )(command)


class EngineChoice:
    """The network on the engine that the user chose, for one stack after the other.

    Args:
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
    """Background policy of the motion channel, as `BackgroundPolicy.parse` reads it."""

    name = "POLICY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from amseg_keras.preprocess.background_policy import BackgroundPolicy

        try:
            return str(BackgroundPolicy.parse(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def background_option(command: Command) -> Command:
    """Add `--background`."""
    return click.option(
        "--background",
        type=Background(),
        default="auto",
        help="For networks that see what moves, the frames of the background: auto, recording, "
        "range:A-B (frames A to B, as before the laser), previous:N,M (N frames before the M that "
        "precede a frame), so-far or none; recording+register if the specimen drifts.",
    )(command)


def segment_options(command: Command) -> Command:
    """Add `--format`, `--pixel-size`, `--frame-rate`, `--scale` and `--batch-size`."""
    return with_options(command, _SEGMENT_OPTIONS)


_SEGMENT_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-f",
        "--format",
        "label_format",
        type=click.Choice(LABEL_FORMATS),
        default="tiff",
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
        help="Resample frames for the network: 2 makes them twice as high and wide, auto gives "
        "them the pixel size of its training. Labels have the size of the frames.",
    ),
    click.option(
        "--batch-size",
        type=COUNT,
        help="Frames given to the network at once. Default: up to 4, on a GPU 16, by frame size.",
    ),
]
