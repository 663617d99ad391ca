"""What is kept of a stack frame by frame, so that nothing is lost when the watch ends.

live.csv                a row for each frame as it is done; whoever watches can plot it
.watching/labels.raw    label maps, one byte a pixel, in the order of the table; until the stack
                        is complete
.watching/state.json    what the labels depend on
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.read.group import natural_order
from amseg_keras.runs.record import write_record

FOLDER = ".watching"
TABLE = "live.csv"

FIRST_COLUMNS = ("frame", "file", "seen", "latency_s", "since_written_s")
"""Number, file, when it was seen, s from that to its result, s from its being written to that."""


@dataclass(frozen=True)
class DoneFrame:
    """A row of the live table.

    Attributes:
        frame: Number of the frame; of single files, in the order in which they came.
        file: Name of its file, where it has one of its own.
        latency_s: From its being seen to its result.
        error: Why it could not be read.
    """

    frame: int
    file: str | None
    latency_s: float
    error: str | None


class Journal:
    """The live table and the labels of a stack that is not complete.

    Args:
        folder: Output folder of the stack.
        frame_shape: Height and width.
        measured: Columns of the live table beside those of every table, see `FIRST_COLUMNS`.
    """

    def __init__(self, folder: Path, frame_shape: tuple[int, int], measured: Sequence[str]) -> None:
        self.folder = folder
        self.frame_shape = frame_shape
        self.columns = (*FIRST_COLUMNS, *measured, "error")
        self.done: list[DoneFrame] = []

    def begin(self, state: Mapping[str, Any]) -> None:
        """Start with no frame; what was there is replaced."""
        with complete_or_absent(self.folder / TABLE) as temporary:
            temporary.write_text(_line(self.columns), "utf-8")
        self._keep(state, iter(()))

    def resume(self) -> None:
        """Go on after the last frame whose labels and row are both whole."""
        self.done = read_table(self.folder)
        whole = self._labels_file.stat().st_size // self._frame_bytes
        self.done = self.done[:whole]
        os.truncate(self._labels_file, len(self.done) * self._frame_bytes)
        rows = [self.columns, *_rows(self.folder)[: len(self.done)]]
        with complete_or_absent(self.folder / TABLE) as temporary:
            temporary.write_text("".join(map(_line, rows)), "utf-8")

    def reopen(self, state: Mapping[str, Any], labels: Iterator[np.ndarray]) -> None:
        """Go on with a complete stack; `labels` in the order of its label files."""
        self.done = read_table(self.folder)
        self._keep(state, labels)

    def append(self, row: Mapping[str, Any], done: DoneFrame, labels: np.ndarray) -> None:
        """Add a frame; it survives a kill of the program from here on."""
        with self._labels_file.open("ab") as file:
            file.write(np.ascontiguousarray(labels, np.uint8).tobytes())
        with (self.folder / TABLE).open("a", encoding="utf-8", newline="") as table:
            table.write(_line([_text(row.get(column)) for column in self.columns]))
        self.done.append(done)

    def order(self) -> list[int]:
        """Places in the table of the stack's frames in their order: late files are put in."""
        return stack_order(self.done)

    def labels(self) -> Iterator[np.ndarray]:
        """Label maps in the order of the stack, uint8 `(height, width)`; 255 where unreadable."""
        with self._labels_file.open("rb") as file:
            for place in self.order():
                file.seek(place * self._frame_bytes)
                frame = np.frombuffer(file.read(self._frame_bytes), np.uint8)
                yield frame.reshape(self.frame_shape)

    def remove(self) -> None:
        """Delete the labels, once they are in the files of the run; the table stays."""
        shutil.rmtree(self.folder / FOLDER, ignore_errors=True)

    @property
    def _labels_file(self) -> Path:
        return self.folder / FOLDER / "labels.raw"

    @property
    def _frame_bytes(self) -> int:
        return self.frame_shape[0] * self.frame_shape[1]

    def _keep(self, state: Mapping[str, Any], labels: Iterator[np.ndarray]) -> None:
        """Make the folder with the labels of the frames that are done; `state` makes it valid."""
        self.remove()
        (self.folder / FOLDER).mkdir(parents=True)
        with self._labels_file.open("wb") as file:
            for place, frame in zip(self.order(), labels, strict=True):
                file.seek(place * self._frame_bytes)
                file.write(frame.tobytes())
        write_record(self.folder / FOLDER / "state.json", dict(state))


def read_state(folder: Path) -> dict[str, Any] | None:
    """State of a stack whose labels an earlier watch has begun; None where there is none."""
    try:
        state = json.loads((folder / FOLDER / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def read_table(folder: Path) -> list[DoneFrame]:
    """The rows of a live table; a last one that was cut off by a kill is left out."""
    return [
        DoneFrame(int(row[0]), row[1] or None, float(row[3]), row[-1] or None)
        for row in _rows(folder)
    ]


def stack_order(done: Sequence[DoneFrame]) -> list[int]:
    """Places of the frames in the order of the stack: of single files that of their names.

    Example:
        >>> came = [DoneFrame(i, f, 0.1, None) for i, f in enumerate(["a1.tif", "a10", "a9.tif"])]
        >>> stack_order(came)
        [0, 2, 1]
    """
    return sorted(range(len(done)), key=lambda place: _place_in_stack(done[place]))


def _place_in_stack(one: DoneFrame) -> tuple[Any, ...]:
    return (one.frame,) if one.file is None else natural_order(Path(one.file))


def _rows(folder: Path) -> list[list[str]]:
    """Cells of every whole row of a live table."""
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
