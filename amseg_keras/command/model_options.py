"""Options of all commands that use a trained network, and the network that they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from amseg_keras.segment import Segmenter

Command = Callable[..., Any]


@dataclass(frozen=True)
class OpenedModel:
    """A trained network, ready.

    Attributes:
        segmenter: The network.
        digest: SHA-256 of its weights.
        device: Where it is, as Keras names it.
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
        model: Name, folder or repository of the preset.
        revision: Tag, branch or commit of a repository.
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

    from amseg_keras.segment.device import choose_device

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
    """Whether an engine runs the network on the processor, with nothing that needs Keras."""
    from amseg_keras.backend import may_have_accelerator
    from amseg_keras.engines.engine import installed

    if device.partition(":")[0] not in ("auto", "cpu") or engine == "keras":
        return False
    if engine == "auto" and not (installed("openvino") or installed("onnxruntime")):
        return False
    return device.startswith("cpu") or not may_have_accelerator()


def need_keras() -> None:
    """Refuse to go on without Keras and a backend, in a sentence that names the extra.

    Raises:
        ClickException: No backend of Keras is installed.
    """
    from amseg_keras._on_demand import NO_KERAS
    from amseg_keras.backend import has_backend

    if not has_backend():
        command = click.get_current_context().command_path
        raise click.ClickException(NO_KERAS.replace("this", command, 1))


def model_options(command: Command) -> Command:
    """`--model`, `--revision` and `--device`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "-m",
        "--model",
        default="auto",
        show_default=True,
        help="Preset (see: amseg presets), preset folder, or owner/repo on the Hugging Face Hub; "
        "auto: the preset that measures best.",
    ),
    click.option("--revision", help="Tag, branch or commit of an owner/repo."),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        help="auto, cpu, gpu, or one of several: gpu:1.",
    ),
]
