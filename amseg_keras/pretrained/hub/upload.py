"""From a folder to the Hub, and a look at what is there without downloading weights."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants

from amseg_keras.pretrained.card import for_repository
from amseg_keras.pretrained.hub.download import (
    FAILURES,
    as_preset_error,
    failure,
    named,
    refuse_large,
    shown,
)
from amseg_keras.pretrained.preset import (
    ALL_FILES,
    CARD,
    PREPROCESSING,
    WEIGHTS,
    PresetInfo,
    check_files,
    copy_preset,
    read_info,
)
from amseg_keras.pretrained.safety import PresetError


def push(
    folder: Path,
    repo_id: str,
    private: bool = False,
    revision: str | None = None,
    tag: str | None = None,
) -> str:
    """Upload a preset folder to the Hub in one commit; the repository is made if need be.

    Files that the repository has already are not sent again, and without any change there is no
    new commit; so an interrupted push is simply repeated. In the card, the code that loads the
    preset is given the repository's name.

    Args:
        repo_id: `owner/repo`.
        revision: the branch to commit to; made if need be.
        tag: a name for this version, `v1`, for `from_pretrained(..., revision="v1")`.

    Returns:
        The address of the commit.

    Raises:
        PresetError: not a preset, no access, the Hub refused, the repository is public though
            `private` was asked for, or the tag is that of another version.
    """
    named(repo_id)
    check_files(folder)
    read_info(folder)
    _refuse_foreign_links(folder)
    api = huggingface_hub.HfApi(library_name="amseg-keras")
    try:
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if private and not api.model_info(repo_id).private:
            raise PresetError(
                f"{repo_id}: not pushed: the repository is there already and public; make it "
                "private on its page on the Hub, or leave out private"
            )
        before = _tagged(api, repo_id, tag)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            ready = Path(scratch)
            copy_preset(folder, ready)
            if (card := ready / CARD).is_file():
                card.write_text(for_repository(card.read_text("utf-8"), repo_id), "utf-8")
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=ready,
                revision=revision,
                commit_message=f"Upload {folder.name} with amseg-keras",
            )
        if tag is not None and before is None:
            api.create_tag(repo_id, tag=tag, revision=commit.oid)
    except PresetError:
        raise
    except (*FAILURES, ValueError) as error:
        raise PresetError(f"{repo_id}: not pushed: {failure(error)}") from shown(error)
    if before not in (None, commit.oid):
        raise PresetError(
            f"{repo_id}: pushed, but the tag {tag} is that of another version; give another"
        )
    return str(commit.commit_url)


def _tagged(api: huggingface_hub.HfApi, repo_id: str, tag: str | None) -> str | None:
    """The commit that a tag names, `None` if there is no such tag."""
    tags = [] if tag is None else api.list_repo_refs(repo_id).tags
    return next((one.target_commit for one in tags if one.name == tag), None)


def _refuse_foreign_links(folder: Path) -> None:
    """A folder from elsewhere could publish any file of this machine by a link to it."""
    cache = Path(constants.HF_HUB_CACHE).resolve()
    for path in (folder / name for name in ALL_FILES):
        if path.is_symlink() and not path.resolve().is_relative_to(cache):
            raise PresetError(f"{path}: a link, which is not pushed; put the file itself there")


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
