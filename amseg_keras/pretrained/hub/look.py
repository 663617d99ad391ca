"""What is on the Hub, without downloading weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import huggingface_hub

from amseg_keras.pretrained.errors import PresetError
from amseg_keras.pretrained.hub.answers import as_preset_error, named
from amseg_keras.pretrained.hub.pull import refuse_large
from amseg_keras.pretrained.preset import PREPROCESSING, WEIGHTS, PresetInfo, read_info

TAG = "amseg-keras"
"""In the metadata of every card that this package writes."""


@dataclass(frozen=True)
class PublishedPreset:
    """A preset in a repository, as the Hub describes it.

    Attributes:
        info: what the preset says of itself.
        commit: the version that was looked at.
        tags: names of versions of the repository.
        private: whether only its owner sees it.
        weights_bytes: size of the weights, `None` if the Hub does not tell.
        weights_sha256: their checksum, `None` if the Hub does not tell.
    """

    info: PresetInfo
    commit: str
    tags: tuple[str, ...]
    private: bool
    weights_bytes: int | None
    weights_sha256: str | None


def look(repo_id: str, revision: str | None = None) -> PublishedPreset:
    """Describe a preset on the Hub; of its files only the description is downloaded.

    Args:
        repo_id: `owner/repo`.
        revision: a tag, a branch or a commit; the newest by default.

    Raises:
        PresetError: no such repository or revision, no preset in it, no access or no network.
    """
    at = named(repo_id, revision)
    api = huggingface_hub.HfApi(library_name="amseg-keras")
    with as_preset_error(at):
        found = api.model_info(repo_id, revision=revision, files_metadata=True)
        files = {file.rfilename: file for file in found.siblings or ()}
        if PREPROCESSING not in files:
            raise PresetError(f"{at}: no preset in this repository, {PREPROCESSING} is missing")
        refuse_large(found, at)
        description = api.hf_hub_download(repo_id, PREPROCESSING, revision=found.sha)
        tags = api.list_repo_refs(repo_id).tags
    weights = files.get(WEIGHTS)
    return PublishedPreset(
        info=read_info(Path(description).parent, repo_id),
        commit=str(found.sha),
        tags=tuple(sorted(tag.name for tag in tags)),
        private=bool(found.private),
        weights_bytes=weights.size if weights else None,
        weights_sha256=weights.lfs.sha256 if weights and weights.lfs else None,
    )


def owned_by(owner: str) -> list[str]:
    """The repositories of an owner on the Hub that hold a preset of this package, as `owner/repo`.

    Raises:
        PresetError: the Hub cannot be reached or refuses.
    """
    with as_preset_error(owner):
        return sorted(
            model.id for model in huggingface_hub.HfApi().list_models(author=owner, filter=TAG)
        )
