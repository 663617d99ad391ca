"""The server, and which request goes where."""

from __future__ import annotations

import re
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pretrained.hub_server.pull_routes import PullRoutes
from pretrained.hub_server.push_routes import PushRoutes
from pretrained.hub_server.repository import Files, HubError, Repository, sha256

Fault = Literal["cut", "reset", "short", "other", "slow", "429", "503"]
"""Of a download: ends in the middle, is reset there, announces half, has a changed byte, takes a
second; or is refused for a second."""


class Request(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    range: str | None


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


class Handler(PushRoutes, PullRoutes):
    """One connection, and the table of its routes."""

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
