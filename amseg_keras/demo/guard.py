"""Guard the server: check the `Host`, throttle logins, and separate pages by headers."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import ipaddress
import secrets
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

USER = "amseg"
"""Name to log in with, where there is a password."""

COOKIE = "amseg-login"

FAILURES, WINDOW_S = 5, 60.0
"""Wrong passwords, and their seconds, after which an address has to wait."""

ALL_FAILURES = 50
"""Wrong passwords of all addresses together after which all have to wait."""

OPEN = ("/login", "/assets/page.css")
"""Paths that are served before the login."""

CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
)
"""The browser fetches nothing from elsewhere, whatever is on the page."""


GRADIO = "/gradio"
"""Path of the Gradio page, if Gradio is installed."""

GRADIO_CONTENT = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; font-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'self'; "
)
"""Policy of the Gradio page, which has scripts in the page and makes functions of texts."""


def is_allowed_host(host: str, allowed: Sequence[str]) -> bool:
    """Tell whether a request names this server.

    A page of a stranger may have its own name lead to this computer, and would then read what
    only this computer can reach. An address in numbers cannot be made to lead elsewhere.

    Args:
        host: Header `Host` of the request.
        allowed: Further names, in which `*` stands for any characters.

    Example:
        >>> is_allowed_host("127.0.0.1:7860", ()), is_allowed_host("evil.example:7860", ())
        (True, False)
        >>> is_allowed_host("lab-pc.example.org", ("*.example.org",))
        True
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        own = ("localhost", socket.gethostname().lower(), socket.getfqdn().lower())
        return name in own or any(fnmatch.fnmatch(name, one.lower()) for one in allowed)


@dataclass
class Throttle:
    """Counter of wrong passwords.

    Attributes:
        now: Clock in seconds.

    Example:
        >>> throttle = Throttle()
        >>> for _ in range(5):
        ...     throttle.failed("10.0.0.1")
        >>> throttle.waits("10.0.0.1") > 0, throttle.waits("10.0.0.2")
        (True, 0.0)
    """

    now: Callable[[], float] = time.monotonic
    _failed: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, address: str) -> None:
        """Note a wrong password from an address."""
        with self._lock:
            for key in (address, ""):
                self._failed[key].append(self.now())

    def waits(self, address: str) -> float:
        """Return the seconds that an address has to wait before the next try."""
        with self._lock:
            self._forget()
            waits = 0.0
            for key, most in ((address, FAILURES), ("", ALL_FAILURES)):
                times = self._failed.get(key, ())
                if len(times) >= most:
                    waits = max(waits, WINDOW_S - (self.now() - times[-most]))
            return waits

    def _forget(self) -> None:
        for key in list(self._failed):
            times = self._failed[key]
            while times and self.now() - times[0] > WINDOW_S:
                times.popleft()
            if not times:
                del self._failed[key]


class Login:
    """The password of the page, and the cookie of a login."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._key = secrets.token_bytes(32)
        self.throttle = Throttle()

    def try_password(self, user: str, password: str, address: str) -> bool:
        """Tell whether user and password are right, and count wrong ones."""
        right = hmac.compare_digest(password.encode(), self._password)
        if right and hmac.compare_digest(user.encode(), USER.encode()):
            return True
        self.throttle.failed(address)
        return False

    @property
    def cookie(self) -> str:
        """Cookie of a browser that has logged in."""
        return hmac.new(self._key, b"logged in", hashlib.sha256).hexdigest()

    def is_logged_in(self, headers: Headers, address: str) -> bool:
        """Tell whether a request has the cookie, or user and password."""
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except Exception:  # cookies of other programs on this host may be anything
            cookies = SimpleCookie()
        if COOKIE in cookies and hmac.compare_digest(cookies[COOKIE].value, self.cookie):
            return True
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic" or self.throttle.waits(address) > 0:
            return False
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self.try_password(user, password, address)


class Guard:
    """Middleware that lets requests to this server pass if their sender has access.

    Args:
        login: Password of the page; None for none.
        hosts: Names of this server beside its own and addresses in numbers.
        frames: Sites that may show the page in a frame of theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        login: Login | None = None,
        hosts: Sequence[str] = (),
        frames: Sequence[str] = (),
    ) -> None:
        self._app, self._login, self._hosts = app, login, tuple(hosts)
        ancestors = " ".join(frames) or "'none'"
        self._ancestors = f"frame-ancestors {ancestors}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        content = GRADIO_CONTENT if scope["path"].startswith(f"{GRADIO}/") else CONTENT

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = content + self._ancestors
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_allowed_host(host, self._hosts):
            text = "This server is not known by this name; its owner can allow it: --allow-host"
            return PlainTextResponse(text, 421)
        origin = headers.get("origin")
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("Another page may not ask this server.", 403)
        if self._login is None or scope["path"] in OPEN:
            return None
        address = (scope.get("client") or ("", 0))[0]
        if self._login.is_logged_in(headers, address):
            return None
        if scope["path"] in ("/", GRADIO, f"{GRADIO}/"):
            return RedirectResponse("/login", 303)
        return PlainTextResponse("Log in first.", 401, {"WWW-Authenticate": 'Basic realm="amseg"'})
