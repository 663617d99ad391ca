"""Answer the requests of the page."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

import amseg_keras
from amseg_keras.demo.exports import EXPORTS
from amseg_keras.demo.guard import COOKIE, GRADIO, Guard, Login
from amseg_keras.demo.lessons import Networks
from amseg_keras.demo.limits import Limits, place_for
from amseg_keras.demo.payload import state_of
from amseg_keras.demo.visitors import FRAMES, UPLOADS, Visitor, Visitors
from amseg_keras.demo.work import answered, asked_of, number_of, routes, segment_at_once
from amseg_keras.demo.workers import JobError, JobStopped, Pools
from amseg_keras.read import ReadError
from amseg_keras.read.formats import SUPPORTED
from amseg_keras.samples import sample_names, sample_path

ASSETS = {
    "page.js": "text/javascript",
    "viewer.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}

_GRADIO_LINK = f'<a href="{GRADIO}/">The same as a plain Gradio page</a>'

_NO_GRADIO = "The Gradio page needs amseg-keras[demo]."


@dataclass(frozen=True)
class Access:
    """Access to the server.

    Attributes:
        password: Password of the page, or None.
        hosts: Names of the server beside its own and addresses in numbers.
        frames: Sites that may show the page in a frame of theirs.
    """

    password: str | None = None
    hosts: Sequence[str] = ()
    frames: Sequence[str] = ()


class Demo:
    """The pages and answers of one server.

    Args:
        pools: Workers; by default new ones.
        grace_s: Time in s within which a closed or reloaded page may come back.
    """

    def __init__(
        self, networks: Networks, limits: Limits, pools: Pools | None = None, grace_s: float = 20.0
    ) -> None:
        self.networks, self.limits = networks, limits
        self.visitors = Visitors(networks, limits, pools or Pools(), grace_s=grace_s)
        self._login: Login | None = None

    def app(self, access: Access) -> Starlette:
        """Make the application that a web server runs."""
        self._login = None if access.password is None else Login(access.password)

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            self.visitors.pools.files.start()
            self.visitors.pools.network.start()
            yield
            await run_in_threadpool(self.visitors.close)

        ours = partial(answered, self.visitors)
        made = Starlette(
            routes=[
                Route("/", self.page),
                Route("/login", self.login, methods=["GET", "POST"]),
                Route("/assets/{name}", self.asset),
                Route("/visit", self.visit, methods=["POST"]),
                Route("/api/segment/{name}", self.segment, methods=["PUT", "POST"]),
                Route("/v/{token}/leave", self.leave, methods=["POST"]),
                Route("/v/{token}/state", ours(self.state)),
                Route("/v/{token}/sample", ours(self.sample), methods=["POST"]),
                Route("/v/{token}/uploads", ours(self.begin_upload), methods=["POST"]),
                Route("/v/{token}/uploads/{upload}/{name}", ours(self.put), methods=["PUT"]),
                Route("/v/{token}/uploads/{upload}", ours(self.read), methods=["POST"]),
                *routes(self.visitors),
            ],
            middleware=[
                Middleware(Guard, login=self._login, hosts=access.hosts, frames=access.frames),
                Middleware(GZipMiddleware, minimum_size=2000, compresslevel=1),
            ],
            lifespan=lifespan,
        )
        self._has_gradio = find_spec("gradio") is not None
        if self._has_gradio:
            from amseg_keras.demo.gradio_page import mount_gradio_page

            mount_gradio_page(made, self.visitors)
        else:
            made.routes.append(Route(f"{GRADIO}/{{path:path}}", self.no_gradio))
            made.routes.append(Route(GRADIO, self.no_gradio))
        return made

    # Pages

    async def page(self, request: Request) -> Response:
        other = _GRADIO_LINK if self._has_gradio else escape(_NO_GRADIO)
        text = _asset("page.html").replace("{version}", amseg_keras.__version__)
        return HTMLResponse(text.replace("{gradio}", other))

    async def no_gradio(self, request: Request) -> Response:
        return PlainTextResponse(_NO_GRADIO, 404)

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return PlainTextResponse("There is no such file.", 404)
        return Response(_asset(name), media_type=ASSETS[name])

    async def login(self, request: Request) -> Response:
        if self._login is None:
            return RedirectResponse("/", 303)
        said, status = "", 200
        if request.method == "POST":
            address = request.client.host if request.client else ""
            form = await _form(request)
            waits = self._login.throttle.waits(address)
            if waits > 0:
                said, status = f"Too many wrong passwords; wait {waits:.0f} s.", 429
            elif self._login.try_password(form.get("user", ""), form.get("password", ""), address):
                answer = RedirectResponse("/", 303)
                answer.set_cookie(COOKIE, self._login.cookie, httponly=True, samesite="strict")
                return answer
            else:
                said, status = "User or password is wrong.", 400
        return HTMLResponse(_asset("login.html").replace("{said}", escape(said)), status)

    # Programs

    async def segment(self, request: Request) -> Response:
        """Segment one file that is sent as the body; answer all results as a ZIP."""
        visitor = self.visitors.come()
        try:
            return await self._segment(request, visitor)
        except (JobError, ReadError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except JobStopped:
            return JSONResponse({"error": "it was stopped"}, 409)
        finally:
            self.visitors.leave(visitor.token)

    async def _segment(self, request: Request, visitor: Visitor) -> Response:
        uploads = visitor.new_uploads()
        await self._store(request, uploads, request.path_params["name"])
        preset = request.query_params.get("preset", next(iter(self.networks.folders)))
        values = {
            name: number_of(request.query_params.get(name))
            for name in ("pixel_size_um", "frame_rate_hz")
        }

        def work() -> Path:
            *_, recording = segment_at_once(visitor, uploads, preset, **values)
            return visitor.pack(recording, "everything")

        path = await run_in_threadpool(work)
        return FileResponse(path, filename=path.name)

    # Visitors

    async def visit(self, request: Request) -> Response:
        try:
            token = (await asked_of(request)).get("token")
            visitor = self.visitors.come(token if isinstance(token, str) else None)
        except JobError as error:
            return JSONResponse({"error": str(error)}, 503)
        presets = [visitor.lessons.info(name) for name in visitor.lessons.presets]
        return JSONResponse(
            {
                "token": visitor.token,
                "presets": presets,
                "samples": list(sample_names()),
                "endings": list(SUPPORTED),
                "limits": {
                    "frames": self.limits.frames,
                    "upload_mb": self.limits.upload_mb,
                    "recordings": self.limits.recordings,
                },
                "exports": {name: one.title for name, one in EXPORTS.items()},
            }
        )

    async def leave(self, request: Request) -> Response:
        self.visitors.leave(request.path_params["token"])
        return Response(status_code=204)

    async def state(self, request: Request, visitor: Visitor) -> Response:
        return JSONResponse(state_of(visitor))

    # Recordings

    async def sample(self, request: Request, visitor: Visitor) -> Response:
        asked = await asked_of(request)
        uploads = visitor.new_uploads()
        path = sample_path(str(asked["name"]))
        shutil.copy(path, uploads / path.name)
        return await self._read(visitor, uploads, str(asked["preset"]))

    async def begin_upload(self, request: Request, visitor: Visitor) -> Response:
        return JSONResponse({"upload": visitor.new_uploads().parent.name})

    async def put(self, request: Request, visitor: Visitor) -> Response:
        folder = _inside(visitor, request.path_params["upload"])
        await self._store(request, folder, request.path_params["name"])
        return Response(status_code=204)

    async def read(self, request: Request, visitor: Visitor) -> Response:
        folder = _inside(visitor, request.path_params["upload"])
        return await self._read(visitor, folder, str((await asked_of(request))["preset"]))

    async def _read(self, visitor: Visitor, uploads: Path, preset: str) -> Response:
        if preset not in visitor.lessons.presets:
            raise ValueError(f"no network is called {preset}")
        made = await run_in_threadpool(visitor.read, uploads, preset, threading.Event())
        return JSONResponse({"made": [one.number for one in made], **state_of(visitor)})

    async def _store(self, request: Request, folder: Path, name: str) -> None:
        path = place_for(folder, name, self.limits)
        most, size = self.limits.upload_mb * 1_000_000, 0
        with path.open("wb") as file:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    break
                file.write(part)
        if size > most:
            path.unlink()
            raise ReadError(
                f"{path.name}: is larger than the {self.limits.upload_mb:,} MB of this page; give "
                "a part of it, or run amseg segment on your own computer"
            )


def _inside(visitor: Visitor, name: str) -> Path:
    folder = visitor.folder / name / FRAMES
    if not name.startswith(UPLOADS) or "/" in name or not folder.is_dir():
        raise KeyError(name)
    return folder


async def _form(request: Request) -> dict[str, str]:
    from urllib.parse import parse_qsl

    body = b""
    async for part in request.stream():
        body += part
        if len(body) > 4096:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _asset(name: str) -> str:
    return (files("amseg_keras.demo") / "assets" / name).read_text("utf-8")


FIRST_PORT = 7860

OPEN = Access()
"""Access for everybody."""


@dataclass(frozen=True)
class Address:
    """Address of the page, and access to it.

    Attributes:
        host: Name or address of this computer that is listened on.
        port: Port; None for the first that is free from 7860 on.
        access: Password, and further names of the server.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    access: Access = field(default_factory=Access)


def listening_socket(address: Address) -> socket.socket:
    """Take a port.

    Raises:
        OSError: The port is taken, or the host is no address of this computer.
    """
    ports = [address.port] if address.port else range(FIRST_PORT, FIRST_PORT + 100)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    last: OSError | None = None
    for port in ports:
        taken = socket.socket(family)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((address.host, port))
            taken.listen()
            return taken
        except OSError as error:
            taken.close()
            last = error
    assert last is not None
    raise last


def server_of(demo: Demo, address: Address) -> uvicorn.Server:
    """Make the web server of a demo."""
    config = uvicorn.Config(
        demo.app(address.access),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def url_of(taken: socket.socket) -> str:
    """Give the address of a port for a browser on this computer."""
    host, port = taken.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


@contextlib.contextmanager
def served(demo: Demo, access: Access = OPEN) -> Iterator[str]:
    """Serve a demo in a thread, for tests and notebooks; gives its address."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    server = server_of(demo, Address(access=access))
    thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield url_of(taken)
    finally:
        server.should_exit = True
        thread.join()
