"""The files of a watched stack that is complete: those of `amseg segment`, beside its live.csv."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from amseg_keras.applicability import Knowledge
from amseg_keras.applicability.check import check_recording, looked_at
from amseg_keras.applicability.sentences import not_checked
from amseg_keras.outputs import OutputFolder, write_json
from amseg_keras.preprocess import GreyRange
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import PresetInfo
from amseg_keras.quantify.scale import ASSUMED
from amseg_keras.read import Frames, ReadError
from amseg_keras.runs.segment import MAX_DRAWN, OUTPUTS, RECORD, network_facts
from amseg_keras.runs.segment_outputs import Segmented, SegmentOutputs
from amseg_keras.runs.watch.journal import TABLE, Journal
from amseg_keras.versions import versions

WATCH_OUTPUTS = replace(OUTPUTS, command="amseg watch")
"""The files of a watched stack, beside its live table."""

STATE_KEYS = (
    "result_format",
    "source",
    "place",
    "seen",
    "dtype",
    "weights_sha256",
    "precision",
    "class_names",
    "grey_range",
    "grey_range_from",
    "pixel_size_um",
    "pixel_size_from",
    "scale",
    "frame_rate_hz",
    "notes",
)
"""What a watch knows of a stack from its first frames on, and the record repeats."""


@dataclass(frozen=True)
class CompleteStack:
    """A stack all of whose frames are done.

    Attributes:
        out: Folder of its files, claimed.
        journal: Its labels and live table.
        state: What its labels depend on.
        whole: Its frames, for the overlay.
        info: Of the network.
        known: What recordings of its kind look like.
        choices: What else the record says of how it was done.
    """

    out: OutputFolder
    journal: Journal
    state: Mapping[str, Any]
    whole: Frames
    info: PresetInfo
    known: Knowledge | None
    choices: Mapping[str, Any]


def write_files(stack: CompleteStack, label_format: str) -> None:
    """Write all files of the folder; killed meanwhile, nothing is lost and it can be done again.

    Args:
        stack: The stack.
        label_format: Of the label maps.

    Raises:
        ReadError: None of the frames could be read.
    """
    started = time.monotonic()
    done = [stack.journal.done[place] for place in stack.journal.order()]
    errors = {index: one.error for index, one in enumerate(done) if one.error is not None}
    if len(errors) == len(done):
        raise ReadError(next(iter(errors.values())))
    stack.out.remove_outputs()  # of when there were fewer frames
    stack.out.remove_half_written()
    files = tuple(one.file for one in done if one.file is not None)
    about = Segmented(
        shape=(len(done), *stack.journal.frame_shape),
        class_names=stack.info.class_names,
        grey_range=GreyRange(**stack.state["grey_range"]),
        pixel_size_um=stack.state["pixel_size_um"],
        pixel_size_assumed=stack.state["pixel_size_from"] == ASSUMED,
        frame_names=files or None,
        drawn=frozenset(spread(len(done), min(MAX_DRAWN, len(done)))) - errors.keys(),
    )
    kept: dict[int, np.ndarray | None] = dict.fromkeys(looked_at(len(done)))
    with SegmentOutputs(stack.out.path, about, label_format) as outputs:
        for index, labels in enumerate(stack.journal.labels()):
            if index in kept:
                kept[index] = labels
            frame = None
            if index in about.drawn:
                try:
                    frame = stack.whole[index]
                except ReadError:  # moved away since; its labels are there all the same
                    frame = None
            outputs.add(labels, frame)
        names = outputs.finish()
    size = None if about.pixel_size_assumed else about.pixel_size_um
    warnings = check_recording(
        stack.whole,
        kept.get,
        about.class_names,
        about.grey_range,
        stack.known,
        size,
        stack.state["scale"],
    )
    unchecked = () if stack.known is not None else (not_checked(stack.info.name),)
    latencies = [one.latency_s for one in done]
    record: dict[str, Any] = {
        **{key: stack.state[key] for key in STATE_KEYS},
        **stack.choices,
        "notes": [*stack.state["notes"], *unchecked],
        "warnings": [one.as_json() for one in warnings],
        "label_format": label_format,
        "frame_rate_from": stack.state.get("frame_rate_from"),
        **network_facts(stack.info, stack.known),
        "shape": list(about.shape),
        "latency_s": {
            "median": round(statistics.median(latencies), 3),
            "worst": round(max(latencies), 3),
        },
        "unreadable_frames": [{"frame": index, "error": errors[index]} for index in errors],
        "outputs": [*names, TABLE, RECORD],
        "versions": versions(),
        "times": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "write_s": round(time.monotonic() - started, 3),
        },
    }
    write_json(stack.out.record_path, record)
