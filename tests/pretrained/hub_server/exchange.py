"""One request and its answer: who asks, and bytes in and out."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from pretrained.hub_server.repository import HubError, Repository, etag

if TYPE_CHECKING:
    from pretrained.hub_server.server import HubServer, Listener


class Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Listener
    body: bytes

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def answer(self) -> None:
        raise NotImplementedError

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
