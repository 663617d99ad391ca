"""A small Hugging Face Hub on loopback that keeps everything in memory.

It answers what `huggingface_hub` asks for when a model is pushed and pulled, with the status codes
and error headers of the real one: weights go up by LFS to a storage of another address, and
come down from there with ranges; or, with `xet`, by Xet to a folder. It can break the download of
a file, be too busy to answer, change a branch at a bad moment, and remembers what it was asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

import hf_xet
import huggingface_hub

LFS_SUFFIXES = (".h5", ".pkl")

Files = dict[str, bytes]
Fault = Literal["cut", "reset", "short", "other", "slow", "429", "503"]
"""Of a download: ends in the middle, is reset there, announces half, has a changed byte, takes a
second; or is refused for a second."""


class Request(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    range: str | None


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


class HubServer:
    """The server and what it holds; a context manager that starts and stops it.

    Args:
        token: the only valid token.
        owner: the only namespace that it may write to.
        xet: a folder that takes the place of Xet's storage; without one large files go by LFS.
    """

    def __init__(self, token: str, owner: str, xet: Path | None = None) -> None:
        self.token = token
        self.owner = owner
        self.xet = xet
        self.repositories: dict[str, Repository] = {}
        self.uploads: Files = {}
        self.requests: list[Request] = []
        self.faults: dict[tuple[str, str], list[Fault]] = {}
        self._listeners = [Listener(self), Listener(self)]
        self.url, self.storage_url = (
            f"http://127.0.0.1:{listener.server_port}" for listener in self._listeners
        )

    def __enter__(self) -> HubServer:
        for listener in self._listeners:
            threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()

    def add(self, repo_id: str, files: Files, **kind: bool) -> str:
        """Make a repository (private, gated, failing) of these files; the commit."""
        repository = self.repositories[repo_id] = Repository(**kind)
        return repository.commit("main", files)

    def expect(self, files: list[Path]) -> None:
        """Know the content of files that will come by Xet, whose storage only the client reads."""
        self.uploads |= {sha256(path.read_bytes()): path.read_bytes() for path in files}

    def files(self, repo_id: str) -> Files:
        """The newest files of a repository."""
        repository = self.repositories[repo_id]
        return dict(repository.commits[repository.refs["main"]])

    def downloads(self, repo_id: str) -> list[Request]:
        """The requests for files of a repository."""
        return [
            request
            for request in self.requests
            if request.path.startswith((f"/{repo_id}/resolve/", f"/download/{repo_id}/"))
        ]


class Listener(ThreadingHTTPServer):
    """One of the two addresses of a Hub: its own and that of its storage."""

    def __init__(self, hub: HubServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub


class Handler(BaseHTTPRequestHandler):
    """One connection; a route is a method that returns JSON, or answers itself."""

    protocol_version = "HTTP/1.1"
    server: Listener

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def answer(self) -> None:
        self.body = self.read_body()
        path = urlsplit(self.path).path
        self.hub.requests.append(Request(self.command, path, self.headers["Range"]))
        try:
            for methods, pattern, name in ROUTES:
                match = re.fullmatch(pattern, path)
                if match and self.command in methods:
                    reply = getattr(self, name)(*map(unquote, match.groups()))
                    break
            else:
                raise HubError(404, "Sorry, we can't find the page you are looking for.")
        except HubError as error:
            headers = {"X-Error-Message": str(error)}
            if error.code is not None:
                headers["X-Error-Code"] = error.code
            if error.retry_after is not None:
                headers["Retry-After"] = str(error.retry_after)
            self.send_json({"error": str(error)}, error.status, headers)
        else:
            if reply is not None:
                self.send_json(reply)

    # Routes of a push

    def create_repo(self) -> dict[str, Any] | None:
        self.check_token(required=True)
        wish = json.loads(self.body)
        repo_id = f"{wish.get('organization') or self.hub.owner}/{wish['name']}"
        address = {"url": f"{self.hub.url}/{repo_id}", "name": repo_id}
        if repo_id in self.hub.repositories:
            message = "You already created this model repo"
            self.send_json({"error": message, **address}, 409, {"X-Error-Message": message})
            return None
        self.check_namespace(repo_id)
        self.hub.add(repo_id, {".gitattributes": b""}, private=wish.get("visibility") == "private")
        return address

    def validate_yaml(self) -> dict[str, Any]:
        return {"errors": [], "warnings": []}

    def preupload(self, repo_id: str, revision: str) -> dict[str, Any]:
        repository = self.writable(repo_id)
        present = repository.commits[repository.resolve(revision)]
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if is_lfs(file["path"]) else "regular",
                    "shouldIgnore": False,
                    "oid": etag(file["path"], present[file["path"]])
                    if file["path"] in present
                    else None,
                }
                for file in json.loads(self.body)["files"]
            ]
        }

    def lfs_batch(self, repo_id: str) -> dict[str, Any]:
        self.writable(repo_id)
        objects = [
            item
            if item["oid"] in self.hub.uploads
            else {
                **item,
                "actions": {"upload": {"href": f"{self.hub.storage_url}/upload/{item['oid']}"}},
            }
            for item in json.loads(self.body)["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def upload(self, oid: str) -> dict[str, Any]:
        self.check_signed_address()
        if sha256(self.body) != oid:
            raise HubError(400, "the content does not have the announced SHA-256")
        self.hub.uploads[oid] = self.body
        return {}

    def commit(self, repo_id: str, branch: str) -> dict[str, Any] | None:
        repository = self.writable(repo_id)
        if self.hub.faults.pop((repo_id, "commit"), None):
            self.close_connection = True
            return None
        files = dict(repository.commits[repository.resolve(branch)])
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        sha = repository.commit(branch, files)
        return {"commitUrl": f"{self.hub.url}/{repo_id}/commit/{sha}", "commitOid": sha}

    def create_branch(self, repo_id: str, branch: str) -> dict[str, Any]:
        start = json.loads(self.body).get("startingPoint", "main")
        return self.new_ref(repo_id, branch, start)

    def create_tag(self, repo_id: str, revision: str) -> dict[str, Any]:
        name = json.loads(self.body)["tag"]
        reply = self.new_ref(repo_id, name, revision)
        self.hub.repositories[repo_id].tags.append(name)
        return reply

    def new_ref(self, repo_id: str, name: str, revision: str) -> dict[str, Any]:
        repository = self.writable(repo_id)
        if name in repository.refs:
            raise HubError(409, "Reference already exists")
        repository.refs[name] = repository.resolve(revision)
        return {}

    # Routes of a pull

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

    # Who may do what

    def check_token(self, required: bool = False) -> bool:
        """Whether a token came along; refuses a wrong one."""
        given = self.headers["Authorization"]
        if given is None and required:
            raise HubError(401, "Invalid username or password.")
        if given not in (None, f"Bearer {self.hub.token}"):
            # Some servers repeat what they were sent
            raise HubError(401, f"Invalid credentials in Authorization header: {given}")
        return given is not None

    def check_namespace(self, repo_id: str) -> None:
        namespace = repo_id.split("/")[0]
        if namespace != self.hub.owner:
            raise HubError(403, f"You don't have the rights to write to the namespace {namespace}")

    def check_signed_address(self) -> None:
        """The storage knows who may ask by the address; a token must never get there."""
        if "Authorization" in self.headers:
            raise HubError(400, "Only one auth mechanism allowed")

    def readable(self, repo_id: str) -> Repository:
        known = self.check_token()
        repository = self.hub.repositories.get(repo_id)
        if repository is None or (repository.private and not known):
            # The Hub does not tell strangers which repositories there are.
            if not known:
                raise HubError(401, "Invalid username or password.", "RepoNotFound")
            raise HubError(404, "Repository not found", "RepoNotFound")
        if repository.busy:
            raise HubError(repository.busy.pop(0), "Too many requests, slow down", retry_after=1)
        if repository.failing:
            raise HubError(
                500, "Internal Error - We're working hard to fix this as soon as possible!"
            )
        return repository

    def writable(self, repo_id: str) -> Repository:
        self.check_token(required=True)
        repository = self.readable(repo_id)
        self.check_namespace(repo_id)
        return repository

    # Bytes in and out

    def read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send_json(
        self, reply: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        content_type = {"Content-Type": "application/json"}
        self.send(json.dumps(reply).encode(), status, content_type | (headers or {}))

    def send_file(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        headers = headers | {"ETag": f'"{etag(path, content)}"', "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if wanted is None:
            self.send(content, 200, headers)
            return
        first, size = int(wanted[1]), len(content)
        headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        self.send(content[first:], 206, headers)

    def send(
        self,
        content: bytes,
        status: int = 200,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


REPO = r"([\w.-]+/[\w.-]+)"
ROUTES = (
    ("POST", "/api/repos/create", "create_repo"),
    ("POST", "/api/validate-yaml", "validate_yaml"),
    ("POST", f"/api/models/{REPO}/preupload/([^/]+)", "preupload"),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", "/upload/([0-9a-f]{64})", "upload"),
    ("POST", f"/api/models/{REPO}/commit/([^/]+)", "commit"),
    ("POST", f"/api/models/{REPO}/branch/([^/]+)", "create_branch"),
    ("POST", f"/api/models/{REPO}/tag/([^/]+)", "create_tag"),
    ("GET", "/api/models", "models"),
    ("GET", f"/api/models/{REPO}", "info"),
    ("GET", f"/api/models/{REPO}/refs", "refs"),
    ("GET", f"/api/models/{REPO}/revision/([^/]+)", "info"),
    ("GET", f"/api/models/{REPO}/tree/([^/]+)", "tree"),
    ("GET", rf"/api/models/{REPO}/xet-(read|write)-token/([^/]+)", "xet_token"),
    ("GET HEAD", f"/{REPO}/resolve/([^/]+)/(.+)", "resolve"),
    ("GET", f"/download/{REPO}/([^/]+)/(.+)", "download"),
)


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
