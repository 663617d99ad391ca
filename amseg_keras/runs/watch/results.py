"""Keep the results of a watched stack: frame by frame, and as files when it is complete.

live.csv                    a row for each frame that is done; it can be plotted meanwhile
.unfinished/frames          label maps and rows in the order of the table, until the stack is
                            complete
.unfinished/identity.json   what the labels depend on

A complete stack gets the files of `amseg segment` beside its live.csv.
"""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.applicability import Knowledge
from amseg_keras.applicability.check import check_recording, looked_at
from amseg_keras.applicability.sentences import not_checked
from amseg_keras.atomic import complete_or_absent
from amseg_keras.outputs import (
    IDENTITY,
    UNFINISHED,
    LabelStore,
    OutputFolder,
    read_record,
    write_json,
)
from amseg_keras.preprocess import GreyRange
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import PresetInfo
from amseg_keras.quantify import Scale, measure_keyhole, measure_pores, substrate_surface
from amseg_keras.quantify.quantities import smallest_area_px
from amseg_keras.quantify.scale import ASSUMED, SIZE_FROM
from amseg_keras.read import Frames, ReadError
from amseg_keras.read.group import natural_order
from amseg_keras.runs.segment import MAX_DRAWN, OUTPUTS, RECORD, network_facts
from amseg_keras.runs.segment_outputs import Segmented, SegmentOutputs
from amseg_keras.runs.watch.arriving import MOST_SEEN, SeenFrame
from amseg_keras.versions import versions


def measured_columns(class_names: Sequence[str], scale: Scale) -> list[str]:
    """Name the columns that `measure_live` fills."""
    return list(measure_live(np.zeros((1, 1), np.uint8), class_names, scale))


def measure_live(
    labels: np.ndarray, class_names: Sequence[str], scale: Scale
) -> dict[str, float | int | str]:
    """Measure one label map for the live table.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        scale: Pixel size; with it there are columns in um and um2 too.

    Returns:
        `labelled_<class>_area_px`, the number of pixels of every class; then `keyhole_area_px`,
        `keyhole_depth_px`, `pore_count` and `pore_area_px` without speckles, as `amseg quantify`
        will measure them; `pixel_size_from` is "assumed" if nobody measured the pixel size.

    Example:
        >>> labels = np.full((40, 40), 1, np.uint8)
        >>> labels[:10], labels[10:30, 16:24] = 0, 2
        >>> row = measure_live(labels, ["background", "substrate", "keyhole"], Scale(2.0))
        >>> row["keyhole_depth_px"], row["keyhole_depth_um"], row["labelled_keyhole_area_px"]
        (20.0, 40.0, 160)
    """
    # Without pandas, whose table takes as long as a small network.
    areas = [int(np.count_nonzero(labels == number)) for number in range(len(class_names))]
    row: dict[str, float | int | str] = {
        f"labelled_{name}_area_px": area for name, area in zip(class_names, areas, strict=True)
    }
    if scale.pixel_size_um is not None:
        for name, area in zip(class_names, areas, strict=True):
            row[f"labelled_{name}_area_um2"] = area * scale.pixel_size_um**2
    surface = substrate_surface(labels, class_names)
    smallest_px = smallest_area_px(scale)
    keyhole = measure_keyhole(labels, class_names, surface, smallest_px)
    pores = measure_pores(labels, class_names, surface, smallest_px)
    quantities: dict[str, float | int] = {
        "keyhole_area_px": keyhole.area_px,
        "keyhole_depth_px": keyhole.depth_px,
        "pore_count": len(pores),
        "pore_area_px": sum(pore.pore_area_px for pore in pores),
    }
    for column, value in quantities.items():
        row[column] = value
        in_units = scale.in_units(column)
        if in_units is not None:
            row[in_units[0]] = value * in_units[1]
    if scale.pixel_size_um is not None and scale.pixel_size_assumed:
        row[SIZE_FROM] = ASSUMED
    return row


TABLE = "live.csv"

FIRST_COLUMNS = ("frame", "file", "seen", "latency_s", "since_written_s")
"""Number, file, time of the first look, s from that look to the result, s from writing to it."""


@dataclass(frozen=True)
class DoneFrame:
    """A row of the live table.

    Attributes:
        frame: Number of the frame; single files are numbered as they come.
        file: Name of the frame's own file, or None.
        latency_s: Time in s from the first look to the result.
        error: Sentence why the frame could not be read, or None.
    """

    frame: int
    file: str | None
    latency_s: float
    error: str | None


class Journal:
    """The live table and the labels of a stack that grows.

    Args:
        measured: Columns of the live table beside `FIRST_COLUMNS` and `error`.
    """

    def __init__(
        self, out: OutputFolder, frame_shape: tuple[int, int], measured: Sequence[str]
    ) -> None:
        self.folder = out.path
        self.frame_shape = frame_shape
        self.columns = (*FIRST_COLUMNS, *measured, "error")
        self.done: list[DoneFrame] = []
        self._out = out

    def begin(self, state: Mapping[str, Any]) -> None:
        """Start without frames, and replace earlier ones."""
        self._out.forget_frames()
        write_json(self._out.unfinished / IDENTITY, state)
        self._write_table([])

    def resume(self) -> None:
        """Continue after the last frame that was kept whole."""
        store = self._store()
        rows: list[list[str]] = []
        while len(rows) in store:
            rows.append(store.about(len(rows))["row"])
        self.done = [_done(row) for row in rows]
        self._write_table(rows)

    def reopen(self, state: Mapping[str, Any], labels: Iterator[np.ndarray]) -> None:
        """Continue a complete stack; `labels` are in the order of its label files."""
        rows = _rows(self.folder)
        self.done = [_done(row) for row in rows]
        self._out.forget_frames()
        store = self._store()
        for place, frame in zip(self.order(), labels, strict=True):
            store.append(place, np.ascontiguousarray(frame, np.uint8), {"row": rows[place]})
        write_json(self._out.unfinished / IDENTITY, state)

    def append(
        self,
        row: Mapping[str, Any],
        done: DoneFrame,
        labels: np.ndarray,
        checksum: int | None = None,
    ) -> None:
        """Add a frame; it survives a kill of the program from here on.

        Args:
            done: Values of the row that are needed again.
            labels: Class ids, uint8 `(height, width)`.
            checksum: CRC-32 of the pixels; None if they cannot be read.
        """
        cells = [_text(row.get(column)) for column in self.columns]
        about = {"row": cells, "checksum": checksum}
        self._store().append(len(self.done), np.ascontiguousarray(labels, np.uint8), about)
        with (self.folder / TABLE).open("a", encoding="utf-8", newline="") as table:
            table.write(_line(cells))
        self.done.append(done)

    def order(self) -> list[int]:
        """Return the places in the table of the frames, in the order of the stack."""
        return stack_order(self.done)

    def labels(self) -> Iterator[np.ndarray]:
        """Yield label maps in the order of the stack, uint8 `(height, width)`; 255 if unread."""
        store = self._store()
        for place in self.order():
            yield store.read(place)

    def seen(self) -> list[SeenFrame]:
        """List a few frames by which the recording is recognised."""
        store = self._store()
        sums = ((place, store.about(place).get("checksum")) for place in self._spread())
        return [
            SeenFrame(self.done[place].frame, self.done[place].file, checksum)
            for place, checksum in sums
            if checksum is not None
        ]

    def remove(self) -> None:
        """Delete the labels once the files of the run hold them; the table stays."""
        self._out.forget_frames()

    def _store(self) -> LabelStore:
        return self._out.store(self.frame_shape)

    def _spread(self) -> list[int]:
        return spread(len(self.done), MOST_SEEN) if self.done else []

    def _write_table(self, rows: Sequence[Sequence[str]]) -> None:
        with complete_or_absent(self.folder / TABLE) as temporary:
            temporary.write_text("".join(map(_line, [self.columns, *rows])), "utf-8")


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a stack that an earlier watch has begun, or None."""
    return read_record(folder / UNFINISHED / IDENTITY) or None


def read_table(folder: Path) -> list[DoneFrame]:
    """Read the rows of a live table, without a last row that a kill cut off."""
    return [_done(row) for row in _rows(folder)]


def _done(row: Sequence[str]) -> DoneFrame:
    return DoneFrame(int(row[0]), row[1] or None, float(row[3]), row[-1] or None)


def stack_order(done: Sequence[DoneFrame]) -> list[int]:
    """Return the places of the frames in the order of the stack; names order single files.

    Example:
        >>> came = [DoneFrame(i, f, 0.1, None) for i, f in enumerate(["a1.tif", "a10", "a9.tif"])]
        >>> stack_order(came)
        [0, 2, 1]
    """

    def key(place: int) -> tuple[Any, ...]:
        frame = done[place]
        return (frame.frame,) if frame.file is None else natural_order(Path(frame.file))

    return sorted(range(len(done)), key=key)


def _rows(folder: Path) -> list[list[str]]:
    """Read the cells of every whole row of a live table."""
    try:
        text = (folder / TABLE).read_text("utf-8")
    except OSError:
        return []
    rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    return [row for row in rows[1:] if len(row) == len(rows[0])]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


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
"""Facts that a watch knows from the first frames on, and that the record repeats."""


@dataclass(frozen=True)
class CompleteStack:
    """A stack whose frames are all done.

    Attributes:
        state: Facts that the labels depend on.
        whole: Frames, for the overlay.
        info: Description of the preset.
        known: Statistics of the recordings that the preset knows.
        choices: Further entries of the record.
    """

    out: OutputFolder
    journal: Journal
    state: Mapping[str, Any]
    whole: Frames
    info: PresetInfo
    known: Knowledge | None
    choices: Mapping[str, Any]


def write_files(stack: CompleteStack, label_format: str) -> None:
    """Write all files of the folder; a kill loses nothing, because they can be written again.

    Raises:
        ReadError: None of the frames could be read.
    """
    started = time.monotonic()
    done = [stack.journal.done[place] for place in stack.journal.order()]
    errors = {index: row.error for index, row in enumerate(done) if row.error is not None}
    if len(errors) == len(done):
        raise ReadError(next(iter(errors.values())))
    stack.out.remove_outputs()  # from a time with fewer frames
    stack.out.remove_half_written()
    files = tuple(row.file for row in done if row.file is not None)
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
                except ReadError:  # moved since; its labels are kept
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
    latencies = [row.latency_s for row in done]
    record: dict[str, Any] = {
        **{key: stack.state[key] for key in STATE_KEYS},
        **stack.choices,
        "notes": [*stack.state["notes"], *unchecked],
        "warnings": [warning.as_json() for warning in warnings],
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
