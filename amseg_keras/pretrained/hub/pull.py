"""From the Hub to its cache on this machine."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from amseg_keras.pretrained.errors import PresetError
from amseg_keras.pretrained.hub.answers import FAILURES, as_preset_error, named, unreachable
from amseg_keras.pretrained.hub.cache import damaged, discard
from amseg_keras.pretrained.preset import (
    ALL_FILES,
    CONFIG,
    MAX_TEXT_BYTES,
    WEIGHTS,
    check_files,
)
from amseg_keras.pretrained.safety.config import MAX_CONFIG_BYTES
from amseg_keras.pretrained.safety.weights import MAX_WEIGHTS_BYTES

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
