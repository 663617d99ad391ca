"""Presets on the Hugging Face Hub: pulling and pushing."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from amseg_keras.pretrained.preset import PRESET_FILES, PresetError, copy_preset

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


def pull(repo_id: str, revision: str | None = None) -> Path:
    """Download a preset's files to the Hub's cache, or find them there; nothing else is fetched.

    Args:
        repo_id: `owner/repo`.
        revision: a tag, a branch or a commit; the newest by default.

    Returns:
        The folder in the cache.

    Raises:
        PresetError: no such repository or revision, no access, or no network and not in the cache.
    """
    if not REPOSITORY.fullmatch(repo_id):
        raise PresetError(f"{repo_id}: not the name of a repository, which is owner/repo")
    at = f"{repo_id} (revision {revision})" if revision else repo_id
    try:
        folder = huggingface_hub.snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=list(PRESET_FILES),
            library_name="amseg-keras",
        )
    except errors.RevisionNotFoundError as error:
        raise PresetError(f"{at}: the repository has no such revision") from error
    except errors.RepositoryNotFoundError as error:
        raise PresetError(
            f"{at}: no such repository on the Hub, or it is private: set HF_TOKEN to read it"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise PresetError(
            f"{at}: not in the cache and the Hub cannot be reached; download the repository where "
            "there is a network and give its folder instead of its name"
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PresetError(f"{at}: the download failed, try again ({reason})") from error
    return Path(folder)


def push(folder: Path, repo_id: str, private: bool = False, revision: str | None = None) -> str:
    """Upload a preset folder to the Hub in one commit; the repository is made if need be.

    Args:
        folder: a preset folder.
        repo_id: `owner/repo`.
        private: make a new repository private.
        revision: the branch to commit to; made if need be.

    Returns:
        The address of the commit.

    Raises:
        PresetError: no access, or the Hub refused.
    """
    try:
        repo_id = huggingface_hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if revision is not None:
            huggingface_hub.create_branch(repo_id, branch=revision, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            copy_preset(folder, Path(scratch))
            commit = huggingface_hub.upload_folder(
                repo_id=repo_id,
                folder_path=scratch,
                revision=revision,
                commit_message=f"Upload {folder.name} with amseg-keras",
            )
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PresetError(
            f"{repo_id}: not pushed ({reason}); a token that may write is needed: hf auth login"
        ) from error
    return str(commit.commit_url)
