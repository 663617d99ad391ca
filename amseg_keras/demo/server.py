"""The server: what the page asks for, and what it is answered."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
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
from amseg_keras.corrections import brush, polygon
from amseg_keras.demo.at_once import segment_at_once
from amseg_keras.demo.exports import EXPORTS
from amseg_keras.demo.guard import COOKIE, GRADIO, Guard, Login
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import Networks
from amseg_keras.demo.payload import frame_payload
from amseg_keras.demo.recordings import Recording
from amseg_keras.demo.uploads import place_for
from amseg_keras.demo.visitors import Pools, Visitor, Visitors
from amseg_keras.demo.workers import JobError, JobStopped
from amseg_keras.outputs import OutputError
from amseg_keras.pretrained import PresetError
from amseg_keras.read import ReadError
from amseg_keras.read.formats import SUPPORTED
from amseg_keras.report.colours import class_colours
from amseg_keras.samples import sample_names, sample_path

ASSETS = {
    "page.js": "text/javascript",
    "viewer.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}

_GRADIO_LINK = f'<a href="{GRADIO}/">The same as a plain Gradio page</a>'

_NO_GRADIO = "The Gradio page needs amseg-keras[demo]."

MOST_JSON = 1 << 20
"""Bytes of a question; the longest is a stroke of many points."""

MOST_POINTS = 20_000

EPOCHS = (2, 40)
"""Epochs that a visitor may teach, at least and at most."""


@dataclass(frozen=True)
class Access:
    """Who may ask the server.

    Attributes:
        password: Password that visitors are asked for; None for none.
        hosts: Names of the server beside its own and addresses in numbers.
        frames: Sites that may show the page in a frame of theirs.
    """

    password: str | None = None
    hosts: Sequence[str] = ()
    frames: Sequence[str] = ()


class Demo:
    """The pages and answers of one server.

    Args:
        networks: Presets that visitors can choose.
        limits: Limits on the files of a visitor.
        pools: Workers; by default new ones.
        grace_s: A page that was closed or reloaded may come back within so many seconds.
    """

    def __init__(
        self,
        networks: Networks,
        limits: Limits,
        pools: Pools | None = None,
        grace_s: float = 20.0,
    ) -> None:
        self.networks, self.limits = networks, limits
        self.visitors = Visitors(networks, limits, pools or Pools(), grace_s=grace_s)
        self._login: Login | None = None

    def app(self, access: Access) -> Starlette:
        """Make the application that a web server runs.

        Args:
            access: Who may ask.
        """
        self._login = None if access.password is None else Login(access.password)

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            self.visitors.pools.files.start()
            self.visitors.pools.network.start()
            yield
            await run_in_threadpool(self.visitors.close)

        here = "/v/{token}/recordings/{number:int}"
        made = Starlette(
            routes=[
                Route("/", self.page),
                Route("/login", self.login, methods=["GET", "POST"]),
                Route("/assets/{name}", self.asset),
                Route("/visit", self.visit, methods=["POST"]),
                Route("/api/segment/{name}", self.segment, methods=["PUT", "POST"]),
                Route("/v/{token}/leave", self.leave, methods=["POST"]),
                Route("/v/{token}/state", _answered(self.state)),
                Route("/v/{token}/sample", _answered(self.sample), methods=["POST"]),
                Route("/v/{token}/uploads", _answered(self.begin_upload), methods=["POST"]),
                Route("/v/{token}/uploads/{upload}/{name}", _answered(self.put), methods=["PUT"]),
                Route("/v/{token}/uploads/{upload}", _answered(self.read), methods=["POST"]),
                Route("/v/{token}/run", _answered(self.run), methods=["POST"]),
                Route("/v/{token}/teach", _answered(self.teach), methods=["POST"]),
                Route("/v/{token}/corrections.zip", _answered(self.corrections)),
                Route("/v/{token}/presets/{name}.zip", _answered(self.preset)),
                Route(f"{here}/frames/{{frame:int}}", _answered(self.frame)),
                Route(f"{here}/earlier/{{frame:int}}", _answered(self.earlier)),
                Route(f"{here}/edit", _answered(self.edit), methods=["POST"]),
                Route(f"{here}/choose", _answered(self.choose), methods=["POST"]),
                Route(f"{here}/training", _answered(self.training), methods=["POST"]),
                Route(f"{here}/cancel", _answered(self.cancel), methods=["POST"]),
                Route(f"{here}/remove", _answered(self.remove), methods=["POST"]),
                Route(f"{here}/use-taught", _answered(self.use_taught), methods=["POST"]),
                Route(f"{here}/explain", _answered(self.explain), methods=["POST"]),
                Route(f"{here}/explained/{{kind}}", _answered(self.explained)),
                Route(f"{here}/results", _answered(self.results)),
                Route(f"{here}/download/{{wanted}}", _answered(self.download)),
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
            name: _number(request.query_params.get(name))
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
            token = (await _json(request)).get("token")
            visitor = self.visitors.come(token if isinstance(token, str) else None)
        except JobError as error:
            return JSONResponse({"error": str(error)}, 503)
        presets = [visitor.info(name) for name in visitor.presets]
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
        asked = await _json(request)
        uploads = visitor.new_uploads()
        path = sample_path(str(asked["name"]))
        shutil.copy(path, uploads / path.name)
        return await self._read(visitor, uploads, str(asked["preset"]))

    async def begin_upload(self, request: Request, visitor: Visitor) -> Response:
        return JSONResponse({"upload": visitor.new_uploads().name})

    async def put(self, request: Request, visitor: Visitor) -> Response:
        folder = _inside(visitor, request.path_params["upload"])
        await self._store(request, folder, request.path_params["name"])
        return Response(status_code=204)

    async def read(self, request: Request, visitor: Visitor) -> Response:
        folder = _inside(visitor, request.path_params["upload"])
        return await self._read(visitor, folder, str((await _json(request))["preset"]))

    async def _read(self, visitor: Visitor, uploads: Path, preset: str) -> Response:
        if preset not in visitor.presets:
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

    async def run(self, request: Request, visitor: Visitor) -> Response:
        numbers = (await _json(request))["recordings"]
        visitor.run([visitor.recording(int(number)) for number in numbers])
        return JSONResponse(state_of(visitor))

    async def choose(self, request: Request, visitor: Visitor) -> Response:
        recording, asked = _recording(request, visitor), await _json(request)
        values = {name: asked[name] for name in asked if name in _CHOICES}
        for name in ("pixel_size_um", "frame_rate_hz"):
            if name in values:
                values[name] = _number(values[name])
        for name in ("smallest_pore", "least_confidence"):
            if name in values:
                values[name] = float(values[name])
        if values.get("scale", "auto") != "auto":
            values["scale"] = float(values["scale"])
        if "preset" in values and values["preset"] not in visitor.presets:
            raise ValueError(f"no network is called {values['preset']}")
        recording.choose(**values)
        if recording.labels is not None:
            if recording.chosen.least_confidence > 0 and not recording.has_confidence:
                visitor.find_confidence(recording)
            else:
                visitor.measure_soon(recording)
        return JSONResponse(state_of(visitor))

    async def cancel(self, request: Request, visitor: Visitor) -> Response:
        visitor.cancel(_recording(request, visitor))
        return JSONResponse(state_of(visitor))

    async def remove(self, request: Request, visitor: Visitor) -> Response:
        await run_in_threadpool(visitor.remove, int(request.path_params["number"]))
        return JSONResponse(state_of(visitor))

    # Frames

    async def frame(self, request: Request, visitor: Visitor) -> Response:
        recording = _recording(request, visitor)
        view = request.query_params.get("view", "frame")
        frame = int(request.path_params["frame"])
        return Response(
            await run_in_threadpool(frame_payload, recording, frame, view),
            media_type="application/octet-stream",
        )

    async def earlier(self, request: Request, visitor: Visitor) -> Response:
        recording, frame = _recording(request, visitor), int(request.path_params["frame"])
        if recording.earlier is None or not frame < recording.count:
            raise KeyError(frame)
        return Response(recording.earlier[frame].tobytes(), media_type="application/octet-stream")

    async def edit(self, request: Request, visitor: Visitor) -> Response:
        recording, asked = _recording(request, visitor), await _json(request)

        def work() -> bytes:
            frame = int(asked["frame"])
            with recording.lock:
                if _edit(recording, frame, asked):
                    assert recording.labels is not None
                    recording.changed()
                    corrected = frame in recording.labels.corrected
                    visitor.use_for_training(recording, frame, corrected)
                    visitor.measure_soon(recording)
                return frame_payload(recording, frame, str(asked.get("view", "frame")))

        return Response(await run_in_threadpool(work), media_type="application/octet-stream")

    async def training(self, request: Request, visitor: Visitor) -> Response:
        recording, asked = _recording(request, visitor), await _json(request)
        if recording.labels is None:
            raise JobError("segment the recording first")
        await run_in_threadpool(
            visitor.use_for_training, recording, int(asked["frame"]), bool(asked["wanted"])
        )
        return JSONResponse(state_of(visitor))

    async def results(self, request: Request, visitor: Visitor) -> Response:
        recording = _recording(request, visitor)
        with recording.lock:
            if recording.measured is None:
                return JSONResponse({"version": recording.version, "measured": False})
            names = ("plots", "pores", "histogram")
            pieces = {name: recording.measured[name] for name in names}
            return JSONResponse({"version": recording.version, "measured": True, **pieces})

    async def explain(self, request: Request, visitor: Visitor) -> Response:
        recording, asked = _recording(request, visitor), await _json(request)
        if recording.labels is None:
            raise JobError("segment the recording first")
        frame, name = int(asked["frame"]), str(asked["class"])
        recording.labels.class_id(name)
        made = await run_in_threadpool(visitor.explain, recording, frame, name)
        recording.about["explained"] = made
        here = request.url.path.rpartition("/")[0]
        mark = f"{recording.version}-{frame}-{name}"
        pictures = {kind: f"{here}/explained/{kind}?{mark}" for kind in made}
        return JSONResponse({"frame": frame, "class": name, **pictures})

    async def explained(self, request: Request, visitor: Visitor) -> Response:
        made = _recording(request, visitor).about["explained"]
        return FileResponse(made[request.path_params["kind"]], media_type="image/png")

    async def download(self, request: Request, visitor: Visitor) -> Response:
        recording, wanted = _recording(request, visitor), request.path_params["wanted"]
        if wanted not in EXPORTS:
            raise KeyError(wanted)
        path = await run_in_threadpool(visitor.pack, recording, wanted)
        return FileResponse(path, filename=path.name)

    # Teaching

    async def teach(self, request: Request, visitor: Visitor) -> Response:
        asked = await _json(request)
        if asked.get("cancel"):
            visitor.teaching.stop.set()
        else:
            least, most = EPOCHS
            epochs = min(max(int(asked.get("epochs", 14)), least), most)
            visitor.teach(visitor.recording(int(asked["recording"])), epochs)
        return JSONResponse(state_of(visitor))

    async def use_taught(self, request: Request, visitor: Visitor) -> Response:
        await run_in_threadpool(visitor.use_taught, _recording(request, visitor))
        return JSONResponse(state_of(visitor))

    async def corrections(self, request: Request, visitor: Visitor) -> Response:
        if not visitor.corrections.is_dir():
            raise JobError("no frame is corrected yet")
        return await _zipped(visitor.corrections, visitor.folder / "corrections.zip")

    async def preset(self, request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        folder = visitor.preset_folder(name)
        return await _zipped(folder, visitor.folder / f"{name}.zip", name)


_CHOICES = (
    "preset",
    "pixel_size_um",
    "frame_rate_hz",
    "background",
    "scale",
    "smallest_pore",
    "least_confidence",
)

Answer = Callable[[Request, Visitor], Awaitable[Response]]


def _answered(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Find the visitor of a request, and turn errors into sentences."""
    demo: Demo = answer.__self__  # type: ignore[attr-defined]

    async def endpoint(request: Request) -> Response:
        try:
            visitor = demo.visitors.of(request.path_params["token"])
        except KeyError:
            text = "this page was left alone for too long, and its files were deleted; reload it"
            return JSONResponse({"error": text, "gone": True}, 404)
        try:
            return await answer(request, visitor)
        except (JobError, ReadError, PresetError, OutputError) as error:
            return JSONResponse({"error": _plain(str(error), visitor)}, 400)
        except (JobStopped, ClientDisconnect):
            return JSONResponse({"error": "it was stopped"}, 409)
        except (KeyError, IndexError, FileNotFoundError):
            return JSONResponse({"error": "that is not there any more"}, 404)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": _plain(str(error), visitor)}, 422)

    return endpoint


_STATES = itertools.count(1)
"""Numbers of the descriptions, by which a page knows an older one that comes late."""


def state_of(visitor: Visitor) -> dict[str, Any]:
    """Describe all that a visitor has, as the page shows it.

    Args:
        visitor: The visitor.
    """
    number = next(_STATES)  # taken first: what is described later is at least as new
    teaching = visitor.teaching
    return {
        "number": number,
        "recordings": [_described(one) for one in list(visitor.recordings.values())],
        "presets": [visitor.info(name) for name in visitor.presets],
        "teaching": {
            "state": teaching.state,
            "said": teaching.said,
            "share": teaching.share,
            "scores": teaching.scores,
            "preset": teaching.preset,
        },
    }


def _described(recording: Recording) -> dict[str, Any]:
    with recording.lock:
        record, labels, about = recording.record, recording.labels, recording.about
        chosen = recording.chosen
        classes = () if labels is None else labels.class_names
        colours = class_colours(classes) if classes else ()
        return {
            "number": recording.number,
            "name": recording.name,
            "state": recording.state,
            "said": recording.said,
            "share": recording.share,
            "version": recording.version,
            "frames": recording.count,
            "height": about["shape"][1],
            "width": about["shape"][2],
            "dtype": about["dtype"],
            "notes": [*about["notes"], *about["unreadable"].values()],
            "file_pixel_size_um": about["pixel_size_um"],
            "file_frame_rate_hz": about["frame_rate_hz"],
            "chosen": dict(vars(chosen)),
            "classes": [
                {"name": name, "colour": f"#{bytes(colour).hex()}"}
                for name, colour in zip(classes, colours, strict=True)
            ],
            "warnings": [one["sentence"] for one in (record or {}).get("warnings") or ()],
            "run_notes": list((record or {}).get("notes") or ()),
            "model": (record or {}).get("model"),
            "seconds": (record or {}).get("times", {}).get("segment_s"),
            "measured": recording.measured is not None,
            "has_confidence": recording.has_confidence,
            "corrected": [] if labels is None else list(labels.corrected),
            "training": sorted(recording.training),
            "has_earlier": recording.earlier is not None and labels is not None,
        }


def _edit(recording: Recording, frame: int, asked: dict[str, Any]) -> bool:
    """Change the labels of a frame; whether any pixel changed."""
    stack, tool = recording.labels, str(asked["tool"])
    if stack is None:
        raise JobError("segment the recording first")
    if tool in ("undo", "redo", "reset"):
        return bool(getattr(stack, tool)(frame))
    points = [(float(row), float(column)) for row, column in asked["points"][:MOST_POINTS]]
    shape, class_id = stack.shape[1:], int(asked.get("class", 0))
    radius = min(max(float(asked.get("radius", 1)), 0.5), 200)
    if tool == "brush":
        return stack.paint(frame, brush(shape, points, radius), class_id)
    if tool == "eraser":
        return stack.erase(frame, brush(shape, points, radius), class_id)
    if tool == "polygon":
        return stack.paint(frame, polygon(shape, points), class_id)
    if tool == "fill":
        return stack.fill(frame, points[0], class_id)
    if tool == "add":
        return stack.add_piece(frame, recording.frames[frame], points[0], class_id)
    if tool == "remove":
        before = stack.revision
        stack.remove_piece(frame, points[0])
        return stack.revision != before
    raise ValueError(f"no tool is called {tool!r}")


def _recording(request: Request, visitor: Visitor) -> Recording:
    return visitor.recording(int(request.path_params["number"]))


def _inside(visitor: Visitor, name: str) -> Path:
    folder = visitor.folder / name
    if not name.startswith("uploads-") or "/" in name or not folder.is_dir():
        raise KeyError(name)
    return folder


def _number(value: Any) -> float | None:
    """A number, or None for an empty field and for 0."""
    return float(value) or None if value not in (None, "") else None


async def _json(request: Request) -> dict[str, Any]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_JSON:
            raise ValueError("the question is too long")
    asked = json.loads(body or b"{}")
    if not isinstance(asked, dict):
        raise ValueError("the question is no JSON object")
    return asked


async def _form(request: Request) -> dict[str, str]:
    from urllib.parse import parse_qsl

    body = b""
    async for part in request.stream():
        body += part
        if len(body) > 4096:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


async def _zipped(folder: Path, path: Path, name: str | None = None) -> Response:
    def work() -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                packed.write(file, Path(name or "") / file.relative_to(folder))

    await run_in_threadpool(work)
    return FileResponse(path, filename=path.name)


def _plain(text: str, visitor: Visitor) -> str:
    """A sentence without the folders of the server."""
    return text.replace(f"{visitor.folder}/", "").replace(str(visitor.folder), "")


def _asset(name: str) -> str:
    return (files("amseg_keras.demo") / "assets" / name).read_text("utf-8")
