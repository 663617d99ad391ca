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
    except errors.HFValidationError as error:
        raise PresetError(f"{at}: not the name of a repository ({_failure(error)})") from error
    except errors.RevisionNotFoundError as error:
        raise PresetError(f"{at}: the repository has no such revision") from error
    except errors.GatedRepoError as error:
        raise PresetError(
            f"{at}: its owner decides who may read it: ask for access on its page on the Hub, "
            "then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise PresetError(
            f"{at}: no such repository on the Hub, or it is private: set HF_TOKEN to read it"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        # Raised, too, when the Hub was reached and answered with an error
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise PresetError(f"{at}: {_failure(error.__cause__)}") from error
        raise PresetError(
            f"{at}: not in the cache and the Hub cannot be reached; download the repository where "
            "there is a network and give its folder instead of its name"
        ) from error
    except (errors.HTTPError, OSError) as error:  # of httpx or httpx2, whichever the client uses
        raise PresetError(f"{at}: {_failure(error)}") from error
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
    except (errors.HTTPError, OSError, ValueError) as error:
        raise PresetError(f"{repo_id}: not pushed: {_failure(error)}") from error
    return str(commit.commit_url)


def _failure(error: Exception) -> str:
    """What went wrong and what to do about it, in one line."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        said = " ".join((error.server_message or first_line).split())
        advice = "check the token (hf auth login)" if status in (401, 403) else "try again later"
        return f"the Hub answered {status} ({said}); {advice}"
    if isinstance(error, ValueError):
        return " ".join(str(error).split())
    return f"the transfer failed ({first_line}); try again"
