"""Answer requests about recordings: settings, frames, corrections, teaching, downloads."""

from __future__ import annotations

import json
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from amseg_keras.demo.exports import EXPORTS
from amseg_keras.demo.payload import frame_payload, state_of
from amseg_keras.demo.recordings import DONE, FAILED, RUNNING, WAITING, Recording, edit_labels
from amseg_keras.demo.visitors import Visitor, Visitors
from amseg_keras.demo.workers import JobError, JobStopped
from amseg_keras.outputs import OutputError
from amseg_keras.pretrained import PresetError
from amseg_keras.read import ReadError

_LOOK_EVERY_S = 0.05


def segment_at_once(
    visitor: Visitor,
    uploads: Path,
    preset: str,
    pixel_size_um: float | None = None,
    frame_rate_hz: float | None = None,
) -> Iterator[Recording]:
    """Read, segment and measure one recording.

    Args:
        pixel_size_um: Size of a pixel in um; None for the pixel size of the file.
        frame_rate_hz: Frames per second; None for the frame rate of the file.

    Yields:
        The recording after reading, and then repeatedly until it is measured.

    Raises:
        JobError: It cannot be read, segmented or measured.
        JobStopped: It was stopped, removed or changed meanwhile.
        ReadError: The files are several recordings.
        ValueError: There is no such network, or a number is out of its range.
    """
    if preset not in visitor.lessons.presets:
        raise ValueError(f"no network is called {preset}; see amseg presets")
    made = visitor.read(uploads, preset, threading.Event())
    recording = made[0]
    try:
        if len(made) > 1:
            raise ReadError("these are several recordings; send one at a time")
        given = {"pixel_size_um": pixel_size_um, "frame_rate_hz": frame_rate_hz}
        recording.choose(**{name: value for name, value in given.items() if value is not None})
        yield recording
    except BaseException:  # also where the caller left
        for one in made:
            visitor.remove(one.number)
        raise
    visitor.run([recording])
    while recording.state in (WAITING, RUNNING) or (
        recording.state == DONE and recording.measured is None
    ):
        if recording.stop.is_set():
            raise JobStopped
        yield recording
        time.sleep(_LOOK_EVERY_S)
        visitor.touch()
    if recording.state == FAILED:
        raise JobError(recording.said)
    if recording.state != DONE:
        raise JobStopped
    yield recording


MOST_JSON = 1 << 20
"""Most bytes of a request; the longest is a stroke of many points."""

EPOCHS = (2, 10, 40)
"""Least, default and most epochs of a teaching."""


Answer = Callable[[Request, Visitor], Awaitable[Response]]


def routes(visitors: Visitors) -> list[Route]:
    """List the routes of all requests about recordings."""
    here = "/v/{token}/recordings/{number:int}"
    asked = {
        "/v/{token}/run": (_run, "POST"),
        "/v/{token}/teach": (_teach, "POST"),
        "/v/{token}/corrections.zip": (_corrections, "GET"),
        "/v/{token}/presets/{name}.zip": (_preset, "GET"),
        f"{here}/frames/{{frame:int}}": (_frame, "GET"),
        f"{here}/earlier/{{frame:int}}": (_earlier, "GET"),
        f"{here}/edit": (_edit, "POST"),
        f"{here}/choose": (_choose, "POST"),
        f"{here}/training": (_training, "POST"),
        f"{here}/cancel": (_cancel, "POST"),
        f"{here}/remove": (_remove, "POST"),
        f"{here}/use-taught": (_use_taught, "POST"),
        f"{here}/explain": (_explain, "POST"),
        f"{here}/explained/{{kind}}": (_explained, "GET"),
        f"{here}/results": (_results, "GET"),
        f"{here}/download/{{wanted}}": (_download, "GET"),
    }
    return [
        Route(path, answered(visitors, answer), methods=[method])
        for path, (answer, method) in asked.items()
    ]


def answered(visitors: Visitors, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Find the visitor of a request, and turn errors into sentences."""

    async def endpoint(request: Request) -> Response:
        try:
            visitor = visitors.of(request.path_params["token"])
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


_CHOICES = (
    "preset",
    "pixel_size_um",
    "frame_rate_hz",
    "background",
    "scale",
    "smallest_pore",
    "least_confidence",
)


async def _run(request: Request, visitor: Visitor) -> Response:
    numbers = (await asked_of(request))["recordings"]
    visitor.run([visitor.recording(int(number)) for number in numbers])
    return JSONResponse(state_of(visitor))


async def _choose(request: Request, visitor: Visitor) -> Response:
    recording, asked = _recording(request, visitor), await asked_of(request)
    values = {name: asked[name] for name in asked if name in _CHOICES}
    for name in ("pixel_size_um", "frame_rate_hz"):
        if name in values:
            values[name] = number_of(values[name])
    for name in ("smallest_pore", "least_confidence"):
        if name in values:
            values[name] = float(values[name])
    if values.get("scale", "auto") != "auto":
        values["scale"] = float(values["scale"])
    if "preset" in values and values["preset"] not in visitor.lessons.presets:
        raise ValueError(f"no network is called {values['preset']}")
    recording.choose(**values)
    if recording.labels is not None:
        if recording.chosen.least_confidence > 0 and not recording.has_confidence:
            visitor.find_confidence(recording)
        else:
            visitor.measure_soon(recording)
    return JSONResponse(state_of(visitor))


async def _cancel(request: Request, visitor: Visitor) -> Response:
    visitor.cancel(_recording(request, visitor))
    return JSONResponse(state_of(visitor))


async def _remove(request: Request, visitor: Visitor) -> Response:
    await run_in_threadpool(visitor.remove, int(request.path_params["number"]))
    return JSONResponse(state_of(visitor))


# Frames


async def _frame(request: Request, visitor: Visitor) -> Response:
    recording = _recording(request, visitor)
    view = request.query_params.get("view", "frame")
    frame = int(request.path_params["frame"])
    return Response(
        await run_in_threadpool(frame_payload, recording, frame, view),
        media_type="application/octet-stream",
    )


async def _earlier(request: Request, visitor: Visitor) -> Response:
    recording, frame = _recording(request, visitor), int(request.path_params["frame"])
    if recording.earlier is None or not frame < recording.count:
        raise KeyError(frame)
    return Response(recording.earlier[frame].tobytes(), media_type="application/octet-stream")


async def _edit(request: Request, visitor: Visitor) -> Response:
    recording, asked = _recording(request, visitor), await asked_of(request)

    def work() -> bytes:
        frame = int(asked["frame"])
        with recording.lock:
            if edit_labels(recording, frame, asked):
                assert recording.labels is not None
                recording.changed()
                corrected = frame in recording.labels.corrected
                visitor.lessons.use_for_training(recording, frame, corrected)
                visitor.measure_soon(recording)
            return frame_payload(recording, frame, str(asked.get("view", "frame")))

    return Response(await run_in_threadpool(work), media_type="application/octet-stream")


async def _training(request: Request, visitor: Visitor) -> Response:
    recording, asked = _recording(request, visitor), await asked_of(request)
    if recording.labels is None:
        raise JobError("segment the recording first")
    await run_in_threadpool(
        visitor.lessons.use_for_training, recording, int(asked["frame"]), bool(asked["wanted"])
    )
    return JSONResponse(state_of(visitor))


async def _results(request: Request, visitor: Visitor) -> Response:
    recording = _recording(request, visitor)
    with recording.lock:
        if recording.measured is None:
            return JSONResponse({"version": recording.version, "measured": False})
        names = ("plots", "pores", "histogram")
        pieces = {name: recording.measured[name] for name in names}
        return JSONResponse({"version": recording.version, "measured": True, **pieces})


async def _explain(request: Request, visitor: Visitor) -> Response:
    recording, asked = _recording(request, visitor), await asked_of(request)
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


async def _explained(request: Request, visitor: Visitor) -> Response:
    made = _recording(request, visitor).about["explained"]
    return FileResponse(made[request.path_params["kind"]], media_type="image/png")


async def _download(request: Request, visitor: Visitor) -> Response:
    recording, wanted = _recording(request, visitor), request.path_params["wanted"]
    if wanted not in EXPORTS:
        raise KeyError(wanted)
    path = await run_in_threadpool(visitor.pack, recording, wanted)
    return FileResponse(path, filename=path.name)


# Teaching


async def _teach(request: Request, visitor: Visitor) -> Response:
    asked = await asked_of(request)
    if asked.get("cancel"):
        visitor.lessons.teaching.stop.set()
    else:
        least, usual, most = EPOCHS
        epochs = min(max(int(asked.get("epochs", usual)), least), most)
        visitor.lessons.teach(visitor.recording(int(asked["recording"])), epochs)
    return JSONResponse(state_of(visitor))


async def _use_taught(request: Request, visitor: Visitor) -> Response:
    await run_in_threadpool(visitor.use_taught, _recording(request, visitor))
    return JSONResponse(state_of(visitor))


async def _corrections(request: Request, visitor: Visitor) -> Response:
    if not visitor.lessons.corrections.is_dir():
        raise JobError("no frame is corrected yet")
    return await _zipped(visitor.lessons.corrections, visitor.folder / "corrections.zip")


async def _preset(request: Request, visitor: Visitor) -> Response:
    name = request.path_params["name"]
    folder = visitor.lessons.preset_folder(name)
    return await _zipped(folder, visitor.folder / f"{name}.zip", name)


def _recording(request: Request, visitor: Visitor) -> Recording:
    return visitor.recording(int(request.path_params["number"]))


def number_of(value: Any) -> float | None:
    """Read a number; None for an empty field and for 0."""
    return float(value) or None if value not in (None, "") else None


async def asked_of(request: Request) -> dict[str, Any]:
    """Read the JSON object that a page sends.

    Raises:
        ValueError: It is none, or too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_JSON:
            raise ValueError("the question is too long")
    asked = json.loads(body or b"{}")
    if not isinstance(asked, dict):
        raise ValueError("the question is no JSON object")
    return asked


async def _zipped(folder: Path, path: Path, name: str | None = None) -> Response:
    def work() -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                packed.write(file, Path(name or "") / file.relative_to(folder))

    await run_in_threadpool(work)
    return FileResponse(path, filename=path.name)


def _plain(text: str, visitor: Visitor) -> str:
    """Remove the folders of the server from a sentence."""
    return text.replace(f"{visitor.folder}/", "").replace(str(visitor.folder), "")
