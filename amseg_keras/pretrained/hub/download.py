"""From the Hub to its cache on this machine, and what the Hub answers when it fails.

A file in the cache is a link to one named by its checksum: SHA-256 of large files, the SHA-1 of
git of others. Where the file system has no links, the name is not known, and the SHA-256 in
`preprocessing.json` is what is left to go by.
"""

from __future__ import annotations

import hashlib
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from amseg_keras.pretrained.preset import (
    ALL_FILES,
    CONFIG,
    MAX_TEXT_BYTES,
    PREPROCESSING,
    WEIGHTS,
    check_files,
)
from amseg_keras.pretrained.safety import MAX_CONFIG_BYTES, MAX_WEIGHTS_BYTES, PresetError

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")

TOKEN = re.compile("hf_[A-Za-z0-9]{20,}")

HTTP_ERROR = errors.HTTPError  # type: ignore[attr-defined]
"""HTTPError of httpx or httpx2, whichever huggingface_hub uses."""

FAILURES = (HTTP_ERROR, OSError, errors.LocalEntryNotFoundError)
"""All that a request can end in."""


def named(repo_id: str, revision: str | None = None) -> str:
    """A repository and its revision, for a message.

    Raises:
        PresetError: it is not `owner/repo`.
    """
    if not REPOSITORY.fullmatch(repo_id):
        raise PresetError(f"{repo_id}: not the name of a repository, which is owner/repo")
    return f"{repo_id} (revision {revision})" if revision else repo_id


@contextmanager
def as_preset_error(at: str) -> Iterator[None]:
    """Turn whatever a request ends in into a `PresetError` of one line.

    Args:
        at: what was asked for, from `named`.
    """
    try:
        yield
    except (*FAILURES, errors.HFValidationError) as error:
        cause = error.__cause__
        # A file that the Hub did not give is reported as one that is not in the cache
        if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(cause, Exception):
            raise PresetError(f"{at}: {_reason(cause)}") from shown(error)
        raise PresetError(f"{at}: {_reason(error)}") from shown(error)


def _reason(error: Exception) -> str:
    if isinstance(error, errors.HFValidationError):
        return f"not the name of a repository ({failure(error)})"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, errors.GatedRepoError):
        return (
            "its owner decides who may read it: ask for access on its page on the Hub, "
            "then set HF_TOKEN"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such repository on the Hub, or it is private: set HF_TOKEN to read it"
    return failure(error)


def unreachable(error: BaseException) -> bool:
    """Whether the Hub was not reached at all, or was not to be."""
    return isinstance(error, errors.OfflineModeIsEnabled) or (
        isinstance(error, HTTP_ERROR) and not isinstance(error, errors.HfHubHTTPError)
    )


def failure(error: Exception) -> str:
    """What went wrong and what to do about it, in one line without a token."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, errors.HfHubHTTPError):
        said = " ".join((error.server_message or first_line).split())
        status = error.response.status_code
        return f"the Hub answered {status} ({_without_token(said)}); {_advice(error)}"
    if isinstance(error, ValueError):
        return _without_token(" ".join(str(error).split()))
    return f"the transfer failed ({_without_token(first_line)}); try again"


def _advice(error: errors.HfHubHTTPError) -> str:
    if error.response.status_code in (401, 403):
        return "check the token (hf auth login)"
    wait = error.response.headers.get("Retry-After", "")
    return f"try again in {wait} s" if wait.isdecimal() else "try again later"


def shown(error: Exception) -> Exception | None:
    """The error as a cause to be shown in a traceback, unless a token is in it."""
    text = "".join(traceback.format_exception(error))
    return error if _without_token(text) == text else None


def _without_token(text: str) -> str:
    """A server may repeat what it was sent."""
    token = huggingface_hub.get_token()
    return TOKEN.sub("hf_...", text.replace(token, "hf_...") if token else text)


def damaged(folder: Path) -> list[str]:
    """The files of a preset in the cache whose content has not the checksum they are named by."""
    return [name for name in ALL_FILES if not _whole(folder / name)]


def discard(folder: Path, names: list[str]) -> None:
    """Remove files of a preset from the cache, links and what they lead to."""
    for name in names:
        blob = _blob(folder / name)
        (folder / name).unlink(missing_ok=True)
        if blob is not None:
            blob.unlink(missing_ok=True)


def preset_folders() -> dict[str, Path]:
    """The presets in the cache: the newest folder of each repository, by `owner/repo`."""
    try:
        repositories = huggingface_hub.scan_cache_dir().repos
    except huggingface_hub.CacheNotFound:
        return {}
    found = {}
    for repository in sorted(repositories, key=lambda one: one.repo_id):
        revisions = sorted(repository.revisions, key=lambda one: one.last_modified)
        for revision in revisions if repository.repo_type == "model" else ():
            if (revision.snapshot_path / PREPROCESSING).is_file():
                found[repository.repo_id] = revision.snapshot_path
    return found


def _blob(path: Path) -> Path | None:
    """The file that a link of the cache leads to; one step only, it may be a link in turn."""
    return path.parent / os.readlink(path) if path.is_symlink() else None


def _whole(path: Path) -> bool:
    blob = _blob(path)
    if blob is None or not path.is_file():
        return True
    with path.open("rb") as file:
        if re.fullmatch("[0-9a-f]{64}", blob.name):
            return hashlib.file_digest(file, "sha256").hexdigest() == blob.name
        if re.fullmatch("[0-9a-f]{40}", blob.name):
            content = file.read()
            header = b"blob %d\0" % len(content)
            return hashlib.sha1(header + content).hexdigest() == blob.name
    return True


SECONDS_TO_ANSWER = 10


def pull(repo_id: str, revision: str | None = None) -> Path:
    """Download a preset's files to the Hub's cache, or find them there; nothing else is fetched.

    Every file is compared with the checksum that the Hub names it by, a damaged one is fetched
    once more, and one that is damaged still does not stay in the cache. An interrupted download
    goes on where it stopped. Several processes may pull the same preset at once.

    Args:
        repo_id: `owner/repo`.
        revision: a tag, a branch or a commit; the newest by default.

    Returns:
        The folder in the cache.

    Raises:
        PresetError: no such repository or revision, no preset in it, no access, no network and not
            in the cache, or files that are damaged or too large.
    """
    at = named(repo_id, revision)
    with as_preset_error(at):
        folder = _fetched(repo_id, revision, at)
        _mend(repo_id, folder, at)
    check_files(folder)
    return folder


def _fetched(repo_id: str, revision: str | None, at: str) -> Path:
    try:
        known = huggingface_hub.HfApi().model_info(
            repo_id, revision=revision, files_metadata=True, timeout=SECONDS_TO_ANSWER
        )
    except errors.RevisionNotFoundError:
        raise
    except FAILURES as error:
        try:
            return _snapshot(repo_id, revision, local_files_only=True)
        except errors.LocalEntryNotFoundError:
            if unreachable(error):
                raise PresetError(
                    f"{at}: not in the cache and the Hub cannot be reached; download the "
                    "repository where there is a network (amseg hub pull -o FOLDER) and give its "
                    "folder instead of its name"
                ) from error
            raise error from None
    refuse_large(known, at)
    return _snapshot(repo_id, revision)


def refuse_large(repository: huggingface_hub.ModelInfo, at: str) -> None:
    """Make sure that no file of a preset is larger than would be read, by what the Hub says."""
    sizes = {file.rfilename: file.size or 0 for file in repository.siblings or ()}
    limits = dict.fromkeys(ALL_FILES, MAX_TEXT_BYTES)
    for name, limit in (limits | {CONFIG: MAX_CONFIG_BYTES, WEIGHTS: MAX_WEIGHTS_BYTES}).items():
        if sizes.get(name, 0) > limit:
            raise PresetError(
                f"{at}: its {name} is larger than {limit >> 20} MiB, which is not downloaded"
            )


def _snapshot(repo_id: str, revision: str | None, local_files_only: bool = False) -> Path:
    return Path(
        huggingface_hub.snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=list(ALL_FILES),
            library_name="amseg-keras",
            local_files_only=local_files_only,
        )
    )


def _mend(repo_id: str, folder: Path, at: str) -> None:
    """Fetch damaged files once more; those that stay so are removed."""
    names = damaged(folder)
    try:
        for name in names:
            # puts the new file in the place of the old one in one step
            huggingface_hub.hf_hub_download(
                repo_id, name, revision=folder.name, force_download=True, library_name="amseg-keras"
            )
    except (*FAILURES, ValueError) as error:  # ValueError where HF_HUB_OFFLINE is set
        discard(folder, damaged(folder))
        raise PresetError(
            f"{at}: {names[0]} in the cache was damaged and has been removed; try again where the "
            "Hub can be reached"
        ) from error
    if still := damaged(folder):
        discard(folder, still)
        raise PresetError(
            f"{at}: {still[0]} arrives other than the Hub announces it (another checksum), twice; "
            "nothing of it was kept; try again later"
        )
