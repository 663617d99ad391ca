"""What a pull asks for, and how its downloads break."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import hf_xet
from pretrained.hub_server.exchange import Exchange
from pretrained.hub_server.repository import (
    HubError,
    card_tags,
    etag,
    git_sha1,
    is_lfs,
    lfs_pointer,
    sha256,
)


class PullRoutes(Exchange):
    """A route returns JSON, or answers itself."""

    def info(self, repo_id: str, revision: str = "main") -> dict[str, Any]:
        repository = self.readable(repo_id)
        sha = repository.resolve(revision)
        siblings = [
            {
                "rfilename": path,
                "size": repository.sizes.get(path, len(content)),
                "blobId": git_sha1(content),
            }
            | ({"lfs": lfs_pointer(content)} if is_lfs(path) else {})
            for path, content in repository.commits[sha].items()
        ]
        return {"id": repo_id, "sha": sha, "private": repository.private, "siblings": siblings}

    def models(self) -> list[dict[str, Any]]:
        query = parse_qs(urlsplit(self.path).query)
        known = self.check_token()
        return [
            {"id": repo_id, "private": repository.private}
            for repo_id, repository in self.hub.repositories.items()
            if repo_id.startswith(query["author"][0] + "/")
            and (known or not repository.private)
            and set(query["filter"]) <= set(card_tags(self.hub.files(repo_id)))
        ]

    def refs(self, repo_id: str) -> dict[str, Any]:
        repository = self.readable(repo_id)
        kinds: dict[str, Any] = {"branches": [], "tags": [], "converts": []}
        for name, sha in repository.refs.items():
            kind, folder = ("tags", "tags") if name in repository.tags else ("branches", "heads")
            ref = {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha}
            kinds[kind].append(ref)
        return kinds

    def xet_token(self, repo_id: str, kind: str, revision: str) -> None:
        (self.readable if kind == "read" else self.writable)(repo_id)
        storage, expires = f"local://{self.hub.xet}", int(time.time()) + 3600
        headers = {
            "X-Xet-Cas-Url": storage,
            "X-Xet-Access-Token": "of-the-storage",
            "X-Xet-Token-Expiration": str(expires),
        }
        answer = {"casUrl": storage, "accessToken": "of-the-storage", "exp": expires}
        self.send_json(answer, 200, headers)

    def tree(self, repo_id: str, revision: str) -> list[dict[str, Any]]:
        repository = self.readable(repo_id)
        listing = [
            {"type": "file", "path": path, "size": len(content), "oid": git_sha1(content)}
            | ({"lfs": lfs_pointer(content) | {"oid": sha256(content)}} if is_lfs(path) else {})
            for path, content in repository.commits[repository.resolve(revision)].items()
        ]
        if repository.after_listing is not None:
            repository.commit("main", repository.after_listing)
            repository.after_listing = None
        return listing

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        repository = self.readable(repo_id)
        sha = repository.resolve(revision)
        if repository.gated:
            raise HubError(
                403,
                f"Access to model {repo_id} is restricted and you are not in the authorized list.",
                "GatedRepo",
            )
        if path not in repository.commits[sha]:
            raise HubError(404, "Entry not found", "EntryNotFound")
        content = repository.commits[sha][path]
        headers = {"X-Repo-Commit": sha}
        if is_lfs(path) and self.hub.xet is not None:
            headers["X-Xet-Hash"] = self.xet_hash(content)
            route = f"/api/models/{repo_id}/xet-read-token/{sha}"
            headers["X-Xet-Refresh-Route"] = self.hub.url + route
        if is_lfs(path):
            headers["X-Linked-Size"] = str(len(content))
            headers["X-Linked-ETag"] = f'"{etag(path, content)}"'
            headers["Location"] = f"{self.hub.storage_url}/download/{repo_id}/{sha}/{quote(path)}"
            self.send(b"", 302, headers)
        else:
            self.send_or_fail(repo_id, path, content, headers)

    def download(self, repo_id: str, sha: str, path: str) -> None:
        self.check_signed_address()
        if self.hub.xet is not None:
            raise HubError(400, "this file comes by Xet")
        content = self.hub.repositories[repo_id].commits[sha][path]
        self.send_or_fail(repo_id, path, content, {})

    def xet_hash(self, content: bytes) -> str:
        assert self.hub.xet is not None
        path = self.hub.xet / sha256(content)
        path.write_bytes(content)
        return str(hf_xet.hash_files([str(path)])[0].hash)

    def send_or_fail(
        self, repo_id: str, path: str, content: bytes, headers: dict[str, str]
    ) -> None:
        faults = self.hub.faults.get((repo_id, path))
        if not faults or self.command == "HEAD":
            self.send_file(path, content, headers)
            return
        fault = faults.pop(0)
        if fault in ("429", "503"):
            self.send(b"", int(fault), {"Retry-After": "1"})
            return
        half = content[: len(content) // 2]
        if fault == "other":
            changed = half + bytes([content[len(half)] ^ 1]) + content[len(half) + 1 :]
            self.send(changed, headers=headers | {"ETag": f'"{etag(path, content)}"'})
            return
        if fault == "slow":
            time.sleep(1)
            self.send_file(path, content, headers)
            return
        if fault == "short":
            self.send(half)
            return
        self.send(half, length=len(content))
        self.close_connection = True
        if fault == "reset":
            # Closing with a linger time of 0 resets the connection in place of ending it.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())
