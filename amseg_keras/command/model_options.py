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
        backend: Backend of Keras.
    """

    segmenter: Segmenter
    digest: str
    device: str
    backend: str


@contextmanager
def opened_model(model: str, revision: str | None, device: str) -> Iterator[OpenedModel]:
    """Load what `model_options` name; what is done inside is done on its device.

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

    import keras

    from amseg_keras.segment import from_pretrained
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
