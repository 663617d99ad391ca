"""Make the values of the outputs of the Gradio page."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from amseg_keras.demo.jobs import RESULTS
from amseg_keras.demo.recordings import Recording
from amseg_keras.demo.visitors import Visitor
from amseg_keras.preprocess import GreyRange
from amseg_keras.report.colours import class_colours
from amseg_keras.report.overlay import overlay


@dataclass(frozen=True)
class Shown:
    """Result on a page.

    Attributes:
        number: Number of the recording.
        version: Version of its labels; None before it is segmented.
    """

    number: int
    version: int | None = None


NAMES = ("token", "shown", "said", "picture", "legend", "number", "table", "downloads")
"""Outputs of the page, in order."""


def values_of(
    said: str, visitor: Visitor | None = None, shown: Shown | None = None, **values: Any
) -> list[Any]:
    """Return values for the page's outputs in the order of `NAMES`; other outputs are cleared.

    Args:
        visitor: Visitor whose token the page keeps; None to keep the present token.
    """
    empty: dict[str, Any] = {
        "token": gr.skip() if visitor is None else visitor.token,
        "shown": shown,
        "said": said,
        "picture": None,
        "legend": "",
        "number": gr.update(value=0, visible=False),
        "table": gr.update(value=None, visible=False),
        "downloads": gr.update(value=None, visible=False),
    }
    return [values.get(name, empty[name]) for name in NAMES]


def result_of(
    visitor: Visitor, recording: Recording, index: int, files: Sequence[str] | None
) -> list[Any]:
    """Return all values of a frame on the page.

    Args:
        index: Number of the frame, from 0.
    """
    with recording.lock:
        record, stack, labels = recording.record, recording.labels, recording.shown(index)
        assert record is not None
        assert stack is not None
        assert labels is not None
        assert recording.measured is not None
        cards = recording.measured["cards"][index]
        shown = Shown(recording.number, recording.version)
        levels = GreyRange(**record["grey_range"])
        picture = overlay(np.asarray(recording.frames[index]), labels, stack.class_names, levels)
    rows = [[one["title"], one["number"], one["unit"], one["interval"]] for one in cards]
    last = recording.count - 1
    return values_of(
        _told(recording),
        visitor,
        shown,
        picture=picture,
        legend=_legend(stack.class_names),
        number=gr.update(value=index, maximum=max(1, last), visible=last > 0),
        table=gr.update(
            value=rows or [["this frame could not be read", "", "", ""]],
            label=f"Measured in frame {index} of 0 to {last}",
            visible=True,
        ),
        downloads=gr.update(value=None if files is None else list(files), visible=True),
    )


def files_of(visitor: Visitor, recording: Recording) -> tuple[str, str]:
    """Make label maps and table of a recording for download, and return their paths."""
    labels = visitor.pack(recording, "labels")
    table = recording.home / RESULTS / recording.name / "quantities" / "frames.csv"
    return str(labels), str(shutil.copy(table, labels.with_name(f"{recording.name}-frames.csv")))


def doing(recording: Recording) -> str:
    """Return a sentence on the state of a recording."""
    return f"{escape(recording.name)}: {escape(recording.said or 'measuring')} ..."


def _told(recording: Recording) -> str:
    """Name the recording and the network, after all warnings about the numbers."""
    record, about, chosen = recording.record or {}, recording.about, recording.chosen
    warnings = [one["sentence"] for one in record.get("warnings") or ()]
    notes = [*about["notes"], *about["unreadable"].values(), *(record.get("notes") or ())]
    frames, height, width = about["shape"]
    size, rate = chosen.pixel_size_um, chosen.frame_rate_hz
    parts = [
        f"{recording.name}: {frames} frame{'s' * (frames != 1)} of {height} x {width} pixels",
        f"segmented by {chosen.preset}",
        f"pixel size {size:g} µm" if size else "no pixel size is known, so results are in px",
        f"{rate:g} frames a second" if rate else "no frame rate is known",
    ]
    if recording.said:
        parts.append(recording.said)
    return "".join(map(warning, dict.fromkeys([*warnings, *notes]))) + escape("; ".join(parts))


def warning(sentence: str) -> str:
    """Return a warning as HTML."""
    return f'<p class="said" role="alert">{escape(sentence)}</p>'


def _legend(names: Sequence[str]) -> str:
    return "".join(
        f'<i class="swatch" style="background:#{bytes(colour).hex()}"></i>{escape(name)}'
        for name, colour in zip(names, class_colours(names), strict=True)
    )
