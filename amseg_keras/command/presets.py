"""`amseg presets`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from amseg_keras.pretrained import PresetInfo


@click.command()
@click.option(
    "--for",
    "recording",
    metavar="INPUT",
    help="Rank the presets for a recording, with the reasons. A few of its frames are labelled by "
    "each, those that were pulled from the Hugging Face Hub included.",
)
def presets(recording: str | None) -> None:
    """List the trained networks that come with the package, and what they were trained on.

    Those that were pulled from the Hugging Face Hub: amseg hub list.

    \b
    amseg presets --for scan.h5
    """
    if recording is not None:
        _rank(recording)
        return
    from amseg_keras.pretrained import list_presets

    for preset in list_presets().values():
        show(preset)


def show(preset: PresetInfo) -> None:
    """Print what a preset says of itself."""
    size = "unknown" if preset.pixel_size_um is None else f"{preset.pixel_size_um:g} um"
    click.echo(preset.name)
    click.echo(f"  classes     {', '.join(preset.class_names)}")
    click.echo(f"  pixel size  {size}")
    click.echo(f"  trained on  {preset.trained_on}")


def _rank(recording: str) -> None:
    from amseg_keras.pretrained import find_preset, list_presets
    from amseg_keras.pretrained.hub.download import preset_folders
    from amseg_keras.read import ReadError, open_stack
    from amseg_keras.runs.rank_presets import rank_presets

    folders = {name: find_preset(name) for name in list_presets()} | preset_folders()
    try:
        with open_stack(recording) as stack:
            fits = rank_presets(stack, folders)
    except ReadError as error:
        raise click.ClickException(str(error)) from error
    for number, fit in enumerate(fits, 1):
        click.echo(f"{number}. {fit.name}: {fit.verdict}")
        click.echo(f"     {fit.reason}")
