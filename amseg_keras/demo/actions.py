"""What happens when a visitor touches the page."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from amseg_keras.demo import pictures
from amseg_keras.demo.analysis import Analysis, without_folders
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import Networks
from amseg_keras.demo.uploads import take_in
from amseg_keras.demo.visitors import Stopped, Visitor, Visitors
from amseg_keras.pretrained import PresetError
from amseg_keras.quantify import Quantities, Scale
from amseg_keras.read import ReadError
from amseg_keras.report.page import count
from amseg_keras.runs import OutputError
from amseg_keras.runs.quantified_run import FOLDER
from amseg_keras.samples import sample_path

_LOGGER = logging.getLogger(__name__)

OUTPUTS = (
    *("shown", "viewer", "both", "number", "remarks", "cards"),
    *("explained", "heat", "sure"),
    *("plots", "pores", "histogram", "downloads", "results"),
)
"""What changes on the page when a recording is segmented."""

_UNKNOWN = "That did not work because of an error on the server, which its log tells of."


@dataclass(frozen=True, eq=False)
class Shown:
    """What a visitor has on the page.

    Attributes:
        analysis: The recording and the folder of its results.
        record: Of the segmentation.
        quantities: What was measured; None while it is not yet.
    """

    analysis: Analysis
    record: dict[str, Any]
    quantities: Quantities | None = None

    @property
    def frames(self) -> int:
        """How many there are."""
        return int(self.record["shape"][0])


class Actions:
    """The functions behind the page.

    Args:
        networks: What a visitor can choose from.
        limits: What a visitor can send.
        visitors: Who is there.
    """

    def __init__(self, networks: Networks, limits: Limits, visitors: Visitors) -> None:
        self.networks = networks
        self.limits = limits
        self.visitors = visitors

    def takes(self) -> str:
        """What can be uploaded, in a sentence."""
        return _paragraph(
            f"Up to {self.limits.frames:,} frames, {self.limits.upload_mb:,} MB a file; "
            "or one of the simulated samples above."
        )

    def trained_on(self, preset: str) -> str:
        """What a network was trained on, in a sentence."""
        return _paragraph(f"Trained on: {self.networks.infos[preset].trained_on}")

    def sample(self, name: str) -> Callable[[gr.Request], list[str]]:
        """The function that takes a sample as if it had been uploaded."""

        def take(request: gr.Request) -> list[str]:
            folder = self.visitors.of(request).folder / "samples"
            folder.mkdir(exist_ok=True)
            return [str(shutil.copy(str(sample_path(name)), folder))]

        return take

    def look_at(
        self, files: Sequence[str] | None, preset: str, request: gr.Request
    ) -> tuple[str, float | None, float | None]:
        """What the files are, and the pixel size and the frame rate that they state."""
        if not files:
            return self.takes(), None, None
        home = self.visitors.of(request).new_folder("look")
        try:
            with _one_sentence(home), take_in(files, home, self.limits).open() as stack:
                frames, height, width = stack.shape
                told = [f"{stack.name}: {count(frames, 'frame')} of {height} x {width} pixels"]
                told += [str(stack.dtype), *stack.notes]
                if stack.pixel_size_um is None:
                    told.append("the file states no pixel size: without yours, results are in px")
                return _paragraph("; ".join(told)), stack.pixel_size_um, stack.frame_rate_hz
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def choose(
        self, files: Sequence[str] | None, preset: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """What changes with the network."""
        return self.trained_on(preset), *self.look_at(files, preset, request)

    def stop(self, request: gr.Request) -> None:
        """End what is being computed for the visitor."""
        self.visitors.of(request).stop.set()
        gr.Info("Stopped.")

    def analyse(
        self,
        files: Sequence[str] | None,
        preset: str,
        pixel_size_um: float | None,
        frame_rate_hz: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio looks for it there
    ) -> Iterator[tuple[Any, ...]]:
        """Segment and measure, and show each as soon as it is there.

        Yields:
            Values of `OUTPUTS`.
        """
        visitor = self.visitors.of(request)
        visitor.stop.clear()
        home = visitor.new_folder()
        try:
            with _one_sentence(home):
                progress(0, desc="Reading")
                analysis = self._begin(files, preset, (pixel_size_um, frame_rate_hz), home)
                record = analysis.segment(_told(analysis, visitor, progress))
                visitor.keep_only(home)
                shown = Shown(analysis, record)
                yield _update(**_first(shown))
                quantities = analysis.quantify()
                yield _update(**_measured(replace(shown, quantities=quantities), quantities))
        except Stopped:
            yield _update()
        finally:
            if visitor.stop.is_set():
                shutil.rmtree(home, ignore_errors=True)

    def pack(self, shown: Shown | None) -> Any:
        """The files to be taken along."""
        if shown is not None:
            with _one_sentence(shown.analysis.home):
                return [str(path) for path in shown.analysis.pack()]
        return gr.skip()

    def turn_to(self, shown: Shown | None, index: int) -> tuple[Any, ...]:
        """Another frame: viewer, before and after, numbers."""
        if shown is not None and 0 <= index < shown.frames:
            with _one_sentence(shown.analysis.home):
                view, both = pictures.draw_frame(shown.analysis, shown.record, index)
                numbers = pictures.cards(shown.quantities, index) if shown.quantities else ""
                return view, both, numbers
        return gr.skip(), gr.skip(), gr.skip()

    def explain(self, shown: Shown | None, index: int, class_name: str) -> tuple[Any, Any]:
        """Pictures of why a class was found in a frame, and of how sure that is."""
        if shown is None:
            raise gr.Error("Segment something first.", print_exception=False)
        with _one_sentence(shown.analysis.home):
            heat, sure = shown.analysis.explain(class_name, index)
            return str(heat), str(sure)
        return gr.skip(), gr.skip()

    def segment(
        self,
        file: str,
        preset: str,
        pixel_size_um: float | None,
        frame_rate_hz: float | None,
        request: gr.Request,
    ) -> tuple[str, str]:
        """Segment a recording and measure it.

        Returns `labels.tif`, an ImageJ stack of class ids (uint8; its description names the
        classes), and `frames.csv`, keyhole and pores of every frame with units in the names of
        the columns. Where pixel size (um) or frame rate (Hz) is 0, that of the file is taken. If
        the file states no pixel size, there are no columns in um.
        """
        visitor = self.visitors.of(request)
        visitor.stop.clear()
        home = visitor.new_folder()
        with _one_sentence(home):
            analysis = self._begin([file], preset, (pixel_size_um, frame_rate_hz), home)
            analysis.segment(lambda done: visitor.check())
            analysis.quantify()
            visitor.keep_only(home)
            return str(analysis.labels), str(analysis.table)
        raise _error(_UNKNOWN)

    def _begin(
        self,
        files: Sequence[str] | None,
        preset: str,
        given: tuple[float | None, float | None],
        home: Path,
    ) -> Analysis:
        recording = take_in(files or (), home, self.limits)
        network = self.networks.load(preset)
        # A cleared field is None or 0; what the file says is not the visitor's word.
        size, rate = (value or None for value in given)
        with recording.open() as stack:
            known = stack.pixel_size_um
        return Analysis(home, recording, network, Scale(None if size == known else size, rate))


@contextmanager
def _one_sentence(home: Path) -> Iterator[None]:
    """Tell a visitor what went wrong: of input in its own words, of the server's faults nothing."""
    try:
        yield
    except (Stopped, gr.Error, GeneratorExit):
        raise
    except (ReadError, PresetError, OutputError) as error:
        shutil.rmtree(home, ignore_errors=True)
        raise _error(without_folders(str(error), home)) from error
    except Exception as error:
        if not home.exists():  # the visitor left, or has another recording by now
            return
        _LOGGER.exception("a visitor's request failed")
        shutil.rmtree(home, ignore_errors=True)
        raise _error(_UNKNOWN) from error


def _error(sentence: str) -> gr.Error:
    # Shown until it is clicked away; it may hold names from a file, which are no markup.
    return gr.Error(_plain(sentence), duration=None, print_exception=False)


def _plain(text: str) -> str:
    return escape(text, quote=False)


def _paragraph(text: str) -> str:
    # No Markdown: a name in a file could make the browser fetch a picture from elsewhere.
    return f'<p class="told">{_plain(text)}</p>'


def _told(analysis: Analysis, visitor: Visitor, progress: gr.Progress) -> Callable[[float], None]:
    with analysis.recording.open() as stack:
        total = len(stack)

    def tell(done: float) -> None:
        visitor.check()
        progress((int(done), total), desc="Segmenting", unit="frames")

    return tell


def _update(**values: Any) -> tuple[Any, ...]:
    """New values of some of `OUTPUTS`; the others stay as they are."""
    return tuple(values.get(name, gr.skip()) for name in OUTPUTS)


def _first(shown: Shown) -> dict[str, Any]:
    """What there is when the labels are there; what was shown of another recording goes."""
    view, both = pictures.draw_frame(shown.analysis, shown.record, 0)
    names = list(shown.record["class_names"])
    return {
        "shown": shown,
        "viewer": view,
        "both": both,
        "number": gr.Slider(0, max(shown.frames - 1, 1), value=0, visible=shown.frames > 1),
        "remarks": _remarks(shown),
        "cards": "",
        "explained": gr.Dropdown(names, value="keyhole" if "keyhole" in names else names[0]),
        **{"heat": None, "sure": None, "downloads": None, "results": gr.Tabs(visible=False)},
    }


def _measured(shown: Shown, quantities: Quantities) -> dict[str, Any]:
    """What there is when the labels are measured."""
    names = shown.record["class_names"]
    tables = f"{shown.analysis.recording.name}/{FOLDER}"
    return {
        "shown": shown,
        "cards": pictures.cards(quantities, 0),
        "plots": pictures.time_plots(quantities, names, shown.frames),
        "pores": pictures.pores(quantities, shown.frames, tables),
        "histogram": pictures.histogram(quantities),
        "results": gr.Tabs(visible=True),
    }


def _remarks(shown: Shown) -> str:
    """How many frames, how long it took, and what was assumed or could not be read."""
    record = shown.record
    frames, height, width = record["shape"]
    seconds = record["times"]["segment_s"]
    told = [f"{count(frames, 'frame')} of {height} x {width} pixels"]
    told.append(f"segmented by {record['model']} in {seconds:.1f} s")
    if record["pixel_size_um"] is not None:
        told.append(f"pixel size {record['pixel_size_um']:g} µm")
    else:
        told.append("pixel size not known: results are in px")
    told += [f"CAUTION: {one['sentence']}" for one in record.get("warnings") or ()]
    told += [one["error"] for one in record["unreadable_frames"]]
    return _paragraph(without_folders("; ".join(told), shown.analysis.home))
