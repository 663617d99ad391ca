"""`amseg presets`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from amseg_keras.pretrained import PresetInfo


@click.command()
def presets() -> None:
    """List the trained networks that come with the package, and what they were trained on.

    Those that were pulled from the Hugging Face Hub: amseg hub list.
    """
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
