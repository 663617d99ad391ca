"""Files in the Hub's cache: whether they are what they were, and which presets they make.

A file in the cache is a link to one named by its checksum: SHA-256 of large files, the SHA-1 of
git of others. Where the file system has no links, the name is not known, and the SHA-256 in
`preprocessing.json` is what is left to go by.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import huggingface_hub

from amseg_keras.pretrained.preset import ALL_FILES, PREPROCESSING


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
