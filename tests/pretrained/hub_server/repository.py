"""What a Hub holds: repositories with their commits, and the checksums that name files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import huggingface_hub

LFS_SUFFIXES = (".h5", ".pkl")

Files = dict[str, bytes]


class HubError(Exception):
    """An answer that is an error, with the Hub's name for it."""

    def __init__(
        self, status: int, message: str, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


@dataclass
class Repository:
    """Commits with all their files, and the branches and tags that point to them."""

    private: bool = False
    gated: bool = False
    failing: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    """Status codes of the next answers, each of which asks to wait a second."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Of files that are told to be larger than they are."""
    after_listing: Files | None = None
    """Becomes the newest commit once the files have been listed."""

    def commit(self, branch: str, files: Files) -> str:
        content = "".join(f"{path} {sha256(files[path])}\n" for path in sorted(files))
        sha = hashlib.sha1(f"{len(self.commits)} {branch}\n{content}".encode()).hexdigest()
        self.commits[sha] = files
        self.refs[branch] = sha
        return sha

    def resolve(self, revision: str) -> str:
        sha = self.refs.get(revision, revision)
        if sha not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


def lfs_pointer(content: bytes) -> dict[str, Any]:
    return {"sha256": sha256(content), "size": len(content), "pointerSize": 130}


def card_tags(files: Files) -> list[str]:
    card = files.get("README.md", b"").decode()
    return huggingface_hub.ModelCard(card, ignore_metadata_errors=True).data.tags or []


def etag(path: str, content: bytes) -> str:
    return sha256(content) if is_lfs(path) else git_sha1(content)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
