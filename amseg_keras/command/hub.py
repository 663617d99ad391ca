"""`amseg presets` and `amseg hub`: list trained networks, and exchange them on the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amseg_keras.command.choices import FOLDER

if TYPE_CHECKING:
    from amseg_keras.pretrained import PresetInfo


@click.command()
@click.option(
    "--for",
    "recording",
    metavar="INPUT",
    help="Rank the presets for a recording, with the reasons. Each preset labels a few of its "
    "frames; presets pulled from the Hugging Face Hub take part.",
)
def presets(recording: str | None) -> None:
    """List the trained networks that come with the package, and what they were trained on.

    `amseg hub list` shows the networks that you pulled from the Hugging Face Hub.

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


@click.group()
def hub() -> None:
    """Push, pull and look at presets on the Hugging Face Hub.

    \b
    amseg hub push mine owner/mine --tag v1   publish a preset folder
    amseg hub pull owner/mine                 download one, for work without a network
    amseg hub info owner/mine                 what it is, without downloading its weights
    amseg hub list owner                      what an owner has published

    The token comes from `hf auth login` or HF_TOKEN. HF_ENDPOINT names another Hub or a mirror,
    HF_HOME another place for the cache; HF_HUB_OFFLINE=1 keeps to the cache.
    """


class Repository(click.ParamType):  # type: ignore[type-arg]
    """`owner/repo`, with `hf://` before it or not."""

    name = "owner/repo"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from amseg_keras.pretrained import hub as the_hub

        repo_id = value.removeprefix("hf://")
        if not the_hub.REPOSITORY.fullmatch(repo_id):
            self.fail(f"{value} is not the name of a repository, which is owner/repo", param, ctx)
        return repo_id


@hub.command()
@click.argument("preset")
@click.argument("repository", type=Repository())
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision", metavar="BRANCH", help="Commit to this branch; made if need be.")
@click.option("--tag", help="Name this version, as in v1.")
def push(
    preset: str, repository: str, private: bool, revision: str | None, tag: str | None
) -> None:
    """Publish PRESET (a name or a folder) as REPOSITORY, in one commit.

    The repository is made if need be. What it has already is not sent again: a push that was
    interrupted is simply repeated.
    """
    from amseg_keras.pretrained import find_preset
    from amseg_keras.pretrained import hub as the_hub

    with _refusals():
        folder = find_preset(preset)
        click.echo(the_hub.push(folder, repository, private, revision, tag))


@hub.command()
@click.argument("repository", type=Repository())
@click.option("--revision", help="Tag, branch or commit; the newest by default.")
@click.option("-o", "--out", type=FOLDER, help="Copy the preset to this folder too.")
def pull(repository: str, revision: str | None, out: Path | None) -> None:
    """Download the preset REPOSITORY to the cache, and check that it arrived whole.

    Afterwards `--model REPOSITORY` needs no network. Prints the preset's folder.
    """
    from amseg_keras.pretrained import hub as the_hub
    from amseg_keras.pretrained.preset import copy_preset

    with _refusals():
        folder = the_hub.pull(repository, revision)
        if out is not None:
            copy_preset(folder, out)
        click.echo(out or folder)


@hub.command()
@click.argument("preset")
@click.option("--revision", help="Tag, branch or commit of a repository.")
def info(preset: str, revision: str | None) -> None:
    """Say what PRESET is: a name, a folder, or owner/repo, whose weights are not downloaded."""
    from amseg_keras.pretrained import find_preset, list_presets
    from amseg_keras.pretrained import hub as the_hub
    from amseg_keras.pretrained.preset import WEIGHTS, read_info, weights_digest

    with _refusals():
        repository = preset.removeprefix("hf://")
        if repository in list_presets() or Path(repository).is_dir():
            folder = find_preset(preset, revision)
            show(read_info(folder))
            _show_weights((folder / WEIGHTS).stat().st_size, weights_digest(folder))
            return
        found = the_hub.look(repository, revision)
        show(found.info)
        _show_weights(found.weights_bytes, found.weights_sha256)
        click.echo(f"  commit      {found.commit}{' (private)' if found.private else ''}")
        click.echo(f"  tags        {', '.join(found.tags) or 'none'}")


@hub.command("list")
@click.argument("owner", required=False)
def list_(owner: str | None) -> None:
    """List the presets in the package and in the cache, or the presets of OWNER on the Hub."""
    from amseg_keras.pretrained import hub as the_hub
    from amseg_keras.pretrained import list_presets
    from amseg_keras.pretrained.preset import read_info

    with _refusals():
        if owner is not None:
            for repository in the_hub.owned_by(owner):
                click.echo(repository)
            return
        for preset in list_presets().values():
            show(preset)
        for repository, folder in the_hub.preset_folders().items():
            show(read_info(folder, repository))


def _show_weights(size: int | None, digest: str | None) -> None:
    if size is not None:
        click.echo(f"  weights     {size / 1e6:.1f} MB")
    if digest is not None:
        click.echo(f"  SHA-256     {digest}")


@contextmanager
def _refusals() -> Iterator[None]:
    from amseg_keras.pretrained import PresetError

    try:
        yield
    except PresetError as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
