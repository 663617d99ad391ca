"""Answers to the page: one frame in one answer, and the state of all recordings of a visitor.

The page shows what is in one answer and nothing else of the frame, so picture, labels, numbers,
time and the mark in the plots are always of the same frame.

    4 bytes                length of the head, little-endian
    head                   JSON
    2 bytes a pixel        grey levels, stretched to 0..65535
    1 byte a pixel         class ids, if `labelled`
"""

from __future__ import annotations

import itertools
import json
import struct
from typing import Any

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.demo import pictures
from amseg_keras.demo.recordings import Recording
from amseg_keras.demo.visitors import Visitor
from amseg_keras.quantify import Scale, measure
from amseg_keras.quantify.quantities import SMALLEST_PORE_UM
from amseg_keras.report.colours import class_colours

VIEWS = ("frame", "background", "motion")

MOTION_ENDS = 6.0
"""Range of the shown motion on either side of no change, as a multiple of its noise."""


def frame_payload(recording: Recording, index: int, view: str = "frame") -> bytes:
    """Pack a frame.

    Args:
        index: Number of the frame, from 0.
        view: One of `VIEWS`.

    Raises:
        IndexError: There is no such frame.
        ValueError: There is no such view.
    """
    if not 0 <= index < recording.count:
        raise IndexError(f"there is no frame {index} among {recording.count}")
    if view not in VIEWS:
        raise ValueError(f"no view is called {view!r}; there are {', '.join(VIEWS)}")
    with recording.lock:
        labels, stack = recording.shown(index), recording.labels
        grey, window, said = _grey(recording, index, view)
        head = {
            "recording": recording.number,
            "version": recording.version,
            "frame": index,
            "frames": recording.count,
            "height": grey.shape[0],
            "width": grey.shape[1],
            "view": view,
            "window": window,
            "said": said,
            "time_us": _time_us(recording, index),
            "labelled": labels is not None,
            "corrected": stack is not None and index in stack.corrected,
            "can_undo": stack is not None and stack.can_undo(index),
            "can_redo": stack is not None and stack.can_redo(index),
            "cards": _cards(recording, index, labels),
        }
    packed = json.dumps(head).encode()
    parts = [struct.pack("<I", len(packed)), packed, grey.astype("<u2").tobytes()]
    if labels is not None:
        parts.append(labels.tobytes())
    return b"".join(parts)


def _grey(
    recording: Recording, index: int, view: str
) -> tuple[np.ndarray, tuple[float, float], str]:
    """Return grey levels from 0 to 65535, the limits for black and white, and what is missing."""
    about, frame = recording.about, np.asarray(recording.frames[index])
    low, high = about["ends"]
    said = about["unreadable"].get(str(index), "")
    if view == "frame":
        window = about["window"]
    else:
        background = recording.background(index)
        if background is None:
            return (
                np.zeros(frame.shape, np.uint16),
                (0.0, 1.0),
                "this recording has no background: it needs 16 frames, or another choice of one",
            )
        if view == "background":
            frame, window = background, about["window"]
        else:
            frame = frame.astype(np.float32) - background
            noise = float(1.4826 * np.median(np.abs(frame - np.median(frame)))) or 1.0
            low, high = -4 * MOTION_ENDS * noise, 4 * MOTION_ENDS * noise
            window = [-MOTION_ENDS * noise, MOTION_ENDS * noise]
    spread = (high - low) or 1.0
    grey = np.clip((frame.astype(np.float64) - low) / spread, 0, 1) * 65535
    shown = tuple((float(value) - low) / spread for value in window)
    if shown[0] >= shown[1]:
        shown = (0.0, 1.0)
    return np.rint(grey).astype(np.uint16), (shown[0], shown[1]), said


def _time_us(recording: Recording, index: int) -> float | None:
    rate = recording.chosen.frame_rate_hz
    return None if rate is None else index / rate * 1e6


def _cards(
    recording: Recording, index: int, labels: np.ndarray | None
) -> list[dict[str, Any]] | None:
    """Return the numbers of the frame; None without anything to measure."""
    if labels is None or recording.labels is None:
        return None
    if recording.measured is not None:
        cards: list[dict[str, Any]] | None = recording.measured["cards"][index]
        return cards
    if (labels == IGNORE).all():
        return []
    names = recording.labels.class_names
    chosen = recording.chosen
    scale = Scale(chosen.pixel_size_um, chosen.frame_rate_hz)
    absent = tuple(name for name in ("substrate", "keyhole", "pore") if name not in names)
    smallest = chosen.smallest_pore if chosen.pixel_size_um and chosen.smallest_pore else None
    found = measure(
        labels[None], names, scale, absent=absent, smallest_pore_um=smallest or SMALLEST_PORE_UM
    )
    return pictures.cards(found, 0)


_STATES = itertools.count(1)
"""Numbers of the descriptions, by which a page ignores a late, older one."""


def state_of(visitor: Visitor) -> dict[str, Any]:
    """Describe the recordings of a visitor for the page."""
    number = next(_STATES)  # taken first: what is described later is at least as new
    teaching = visitor.lessons.teaching
    return {
        "number": number,
        "recordings": [_described(one) for one in list(visitor.recordings.values())],
        "presets": [visitor.lessons.info(name) for name in visitor.lessons.presets],
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
