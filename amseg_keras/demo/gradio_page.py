"""The Gradio page, beside the workbench in one server: frames to overlay, numbers and files.

It shares the visitors, workers and limits of the workbench. A recording that was segmented here is
in the workbench's list, and a hostile file stops no other visitor.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from starlette.applications import Starlette

from amseg_keras.demo.gradio_values import (
    NAMES,
    Shown,
    doing,
    files_of,
    result_of,
    values_of,
    warning,
)
from amseg_keras.demo.guard import GRADIO
from amseg_keras.demo.limits import place_for
from amseg_keras.demo.recordings import Recording
from amseg_keras.demo.visitors import Visitor, Visitors
from amseg_keras.demo.work import segment_at_once
from amseg_keras.demo.workers import JobError, JobStopped
from amseg_keras.outputs import OutputError
from amseg_keras.pretrained import PresetError
from amseg_keras.read import ReadError
from amseg_keras.samples import sample_names, sample_path

KEPT_S = 3600
"""Time in s for which Gradio keeps its copies of uploads and downloads."""

WAITING = 16
"""Most visitors whose recordings are read, wait or are segmented at a time."""

FONTS = ("system-ui", "Segoe UI", "Roboto", "sans-serif")
FIXED_FONTS = ("ui-monospace", "Consolas", "monospace")
"""Fonts of the visitor's computer, because no font is downloaded."""

CSS = """
.said { padding: 0.6em 0.9em; border-left: 4px solid #d97706; background: #d9770622;
  margin: 0.3em 0 }
.swatch { display: inline-block; width: 0.8em; height: 0.8em; margin: 0 0.3em 0 0.9em }
"""

EMPTY = "Upload frames or take a sample, and press Segment."

_FAILURES = (JobError, ReadError, PresetError, OutputError, ValueError, OSError)

_QUIET: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
}
"""Quick actions are answered at once. In Gradio's queue, the end of one can close the stream of
events just as a run is sent, and the page would wait for its result for ever."""

_KEEP_TOKEN = "(token) => { if (token) sessionStorage.setItem('token', token); return token; }"
"""Key in the browser under which the workbench finds its visitor too."""

_LEAVE = """() => { addEventListener("pagehide", () => {
  const token = sessionStorage.getItem("token");
  if (token) navigator.sendBeacon(`/v/${token}/leave`);
}); return sessionStorage.getItem("token") || ""; }"""


def mount_gradio_page(app: Starlette, visitors: Visitors) -> None:
    """Serve the page at `GRADIO`, within the server of the workbench.

    Args:
        app: Application of the workbench; its guard is in front of the page too.
    """
    _own_folder()
    gr.mount_gradio_app(
        app,  # a Starlette has all that is asked of a FastAPI here
        build_page(visitors),
        GRADIO,
        footer_links=["api"],
        run_history=False,
        max_file_size=visitors.limits.upload_mb * 1_000_000,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Default(
            primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=FIXED_FONTS
        ),
        css=CSS,
    )


def build_page(visitors: Visitors) -> gr.Blocks:
    """Make the page."""
    actions, presets = _Actions(visitors), list(visitors.networks.folders)
    page: gr.Blocks = gr.Blocks(
        title="Melt pools in X-ray frames, segmented",
        delete_cache=(KEPT_S // 6, KEPT_S),
        analytics_enabled=False,
    )
    with page:
        gr.HTML(
            "<h1>Melt pools in X-ray frames, segmented</h1><p>Look at the overlay before you trust "
            'a number. <a href="/">Work on it: correct, teach, compare</a></p>'
        )
        token = gr.Textbox(visible="hidden")
        shown = gr.State()
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                uploaded = gr.File(
                    label="Frames, a stack or a video", file_count="multiple", height=160
                )
                with gr.Row():
                    samples = [gr.Button(f"Sample {name}", size="sm") for name in sample_names()]
                preset = gr.Dropdown(presets, value=presets[0], label="Network")
                trained_on = gr.HTML(actions.trained_on(presets[0]))
                with gr.Row():
                    size = gr.Number(None, label="Pixel size (µm)", minimum=0, min_width=120)
                    rate = gr.Number(None, label="Frame rate (Hz)", minimum=0, min_width=120)
                gr.HTML("<small>0: those of the file, if it states them.</small>")
                with gr.Row():
                    start = gr.Button("Segment", variant="primary", min_width=120)
                    stop = gr.Button("Stop", min_width=80)
            with gr.Column(scale=2, min_width=320):
                said = gr.HTML(EMPTY)
                picture = gr.Image(
                    label="Overlay", format="png", interactive=False, buttons=["fullscreen"]
                )
                legend = gr.HTML()
                number = gr.Slider(0, 1, 0, step=1, label="Frame", visible=False)
                table = gr.Dataframe(
                    headers=["quantity", "value", "unit", "interval"],
                    label="Measured in this frame",
                    interactive=False,
                    visible=False,
                )
                downloads = gr.File(
                    label="Labels (TIFF) and quantities (CSV)",
                    file_count="multiple",
                    interactive=False,
                    visible=False,
                )
        # In the order of `NAMES`.
        outputs = [token, shown, said, picture, legend, number, table, downloads]
        chosen = [token, uploaded, preset, size, rate]
        start.click(
            actions.run,
            chosen,
            outputs,
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=WAITING,
            trigger_mode="multiple",
        )
        changed = [uploaded.upload, uploaded.clear, uploaded.delete]
        changed += [preset.input, size.input, rate.input]
        known = [shown, *chosen]
        gr.on(changed, actions.clear, known, outputs, **_QUIET)
        stop.click(actions.stop, [shown, token], outputs, **_QUIET)
        for name, button in zip(sample_names(), samples, strict=True):
            taken = button.click(
                lambda name=name: [str(sample_path(name))], None, uploaded, **_QUIET
            )
            taken.then(actions.clear, known, outputs, **_QUIET)
        preset.input(actions.trained_on, preset, trained_on, **_QUIET)
        number.change(
            actions.turn_to, [token, shown, number], outputs, trigger_mode="always_last", **_QUIET
        )
        page.load(actions.come, token, token, js=_LEAVE, **_QUIET)
        token.change(None, token, None, js=_KEEP_TOKEN, api_visibility="private")
        _take_no_addresses(uploaded)
        _add_api(actions, presets)
    page.queue(max_size=4 * WAITING)
    return page


class _Actions:
    """Answers to the actions of a visitor."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors
        self._changes: WeakKeyDictionary[Visitor, int] = WeakKeyDictionary()
        self._begun: WeakKeyDictionary[Visitor, tuple[Any, ...]] = WeakKeyDictionary()
        """Input of the latest run of each visitor, until the input changes."""

    def come(self, token: str) -> str:
        """Let a page in; a page that was in the workbench before is the same visitor."""
        try:
            return self._visitors.come(token).token
        except JobError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def trained_on(self, preset: str) -> str:
        return (
            f"<small>Trained on: {escape(self._visitors.networks.infos[preset].trained_on)}</small>"
        )

    def clear(
        self,
        shown: Shown | None,
        token: str,
        files: Sequence[str] | None,
        preset: str,
        size: float | None,
        rate: float | None,
    ) -> list[Any]:
        """Drop an earlier result where the input has changed."""
        with suppress(KeyError):
            # A browser may tell of an upload after the visitor has pressed Segment.
            begun = self._begun.get(self._visitors.of(token))
            if begun == _input(files, preset, size, rate):
                return [gr.skip() for _ in NAMES]
        return self.stop(shown, token)

    def stop(self, shown: Shown | None, token: str) -> list[Any]:
        """Drop an earlier result; a corrected one stays in the list."""
        with suppress(KeyError):
            visitor = self._visitors.of(token)
            self._changes[visitor] = self._changes.get(visitor, 0) + 1
            self._begun.pop(visitor, None)
        if (found := self._found(token, shown)) is not None:
            visitor, recording = found
            if recording.labels is None or not recording.labels.corrected:
                visitor.remove(recording.number)
        return values_of(EMPTY)

    def run(
        self,
        token: str,
        files: Sequence[str] | None,
        preset: str,
        size: float | None,
        rate: float | None,
    ) -> Iterator[list[Any]]:
        """Segment and measure, and show the progress."""
        visitor, begun = None, None
        last: list[Any] = []
        try:
            visitor = self._visitors.come(token)
            begun = self._changes.get(visitor, 0)
            self._begun[visitor] = _input(files, preset, size, rate)
            yield values_of("Reading ...", visitor)
            for recording in _segmented(visitor, files, preset, size, rate):
                if self._is_stale(visitor, begun):
                    break
                yield values_of(doing(recording), visitor, Shown(recording.number))
            if not self._is_stale(visitor, begun):
                last = result_of(visitor, recording, 0, files_of(visitor, recording))
        except JobStopped:
            last = values_of("It was stopped. Press Segment to begin again.", visitor)
        except _FAILURES as error:
            last = values_of(warning(str(error)), visitor)
        if self._is_stale(visitor, begun):
            # The page was cleared since; Gradio shows the last value again.
            last = [gr.skip() for _ in NAMES]
        yield last

    def _is_stale(self, visitor: Visitor | None, begun: int | None) -> bool:
        return visitor is not None and self._changes.get(visitor, 0) != begun

    def turn_to(self, token: str, shown: Shown | None, index: int) -> list[Any]:
        """Show another frame, or nothing if the recording has changed since."""
        if shown is None or shown.version is None:
            return [gr.skip() for _ in NAMES]
        found = self._found(token, shown)
        if found is None:
            return values_of("The files of this page were deleted meanwhile. Press Segment again.")
        visitor, recording = found
        with recording.lock:
            if recording.version != shown.version or recording.measured is None:
                return values_of("The recording was changed in the workbench. Segment it again.")
            values = result_of(visitor, recording, int(index), None)
        kept = ("number", "downloads", "said", "token", "shown", "legend")
        return [
            gr.skip() if name in kept else value for name, value in zip(NAMES, values, strict=True)
        ]

    def for_programs(
        self, file: str, preset: str, pixel_size_um: float | None, frame_rate_hz: float | None
    ) -> tuple[str, str]:
        """Segment a recording and measure it.

        Returns a TIFF stack of class ids (uint8; its description names the classes), and a CSV file
        with keyhole and pores of every frame and units in the names of its columns. Where pixel
        size (um) or frame rate (Hz) is 0, that of the file is taken. If the file states no pixel
        size, there are no columns in um.
        """
        visitor = self._visitors.come()
        try:
            *_, recording = _segmented(visitor, [file], preset, pixel_size_um, frame_rate_hz)
            labels, table = files_of(visitor, recording)
            return labels, table
        except JobStopped as error:
            raise gr.Error("it was stopped", print_exception=False) from error
        except _FAILURES as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            self._visitors.leave(visitor.token)

    def _found(self, token: str, shown: Shown | None) -> tuple[Visitor, Recording] | None:
        try:
            visitor = self._visitors.of(token)
            return None if shown is None else (visitor, visitor.recording(shown.number))
        except KeyError:
            return None


def _input(
    files: Sequence[str] | None, preset: str, size: float | None, rate: float | None
) -> tuple[Any, ...]:
    """Return what a run is asked to segment, and how; 0 is as good as nothing."""
    return tuple(files or ()), preset, size or None, rate or None


def _segmented(
    visitor: Visitor,
    files: Sequence[str] | None,
    preset: str,
    size: float | None,
    rate: float | None,
) -> Iterator[Recording]:
    uploads = visitor.new_uploads()
    for file in files or ():
        shutil.copyfile(file, place_for(uploads, Path(file).name, visitor.limits))
    yield from segment_at_once(visitor, uploads, preset, size or None, rate or None)


def _add_api(actions: _Actions, presets: list[str]) -> None:
    """Add `/segment` for programs, whose components are checked but never shown."""
    with gr.Column(visible=False):
        inputs = [
            gr.File(label="file"),
            gr.Dropdown(presets, value=presets[0], label="preset"),
            gr.Number(0, label="pixel_size_um"),
            gr.Number(0, label="frame_rate_hz"),
        ]
        outputs = [gr.File(label="labels"), gr.File(label="table")]
        _take_no_addresses(inputs[0])
        gr.Button().click(
            actions.for_programs, inputs, outputs, api_name="segment", concurrency_limit=WAITING
        )


def _take_no_addresses(upload: gr.components.Component) -> None:
    """Restrict a component to uploads; it refuses addresses and files of the server."""
    samples = {str(sample_path(name)) for name in sample_names()}
    take = upload.async_move_resource_to_block_cache

    async def take_upload(path: str | Path | None) -> str | None:
        if str(path).lower().startswith(("http:", "https:")):
            raise gr.Error("Upload the file; addresses are not followed.", print_exception=False)
        # Gradio checks this only for a page that it launches, not for a mounted page.
        sent = Path(upload.GRADIO_CACHE).resolve()
        if not (str(path) in samples or Path(path or sent).resolve().is_relative_to(sent)):
            raise gr.Error("Upload the file; it was not sent here.", print_exception=False)
        return await take(path)

    # On this object alone, because Gradio would write a stub for a new class beside this module.
    upload.async_move_resource_to_block_cache = take_upload  # type: ignore


@lru_cache(maxsize=1)
def _own_folder() -> None:
    """Give Gradio's copies a private folder that is deleted at the end of the program."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="amseg-demo-gradio-")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
