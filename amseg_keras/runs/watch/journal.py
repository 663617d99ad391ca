"""What is kept of a stack frame by frame, so that nothing is lost when the watch ends.

live.csv                    a row for each frame as it is done; whoever watches can plot it
.unfinished/frames          label maps and rows in the order of the table, until the stack is
                            complete
.unfinished/identity.json   what the labels depend on
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.outputs import (
    IDENTITY,
    UNFINISHED,
    LabelStore,
    OutputFolder,
    read_record,
    write_json,
)
from amseg_keras.preprocess.lazy import spread
from amseg_keras.read.group import natural_order
from amseg_keras.runs.watch.incoming.growing import MOST_SEEN, SeenFrame

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
        out: Output folder of the stack, claimed.
        frame_shape: Height and width of a frame.
        measured: Columns of the live table beside those of every table, see `FIRST_COLUMNS`.
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
        """Start with no frame; what was there is replaced."""
        self._out.forget_frames()
        write_json(self._out.unfinished / IDENTITY, state)
        self._write_table([])

    def resume(self) -> None:
        """Go on after the last frame that was kept whole."""
        store = self._store()
        rows: list[list[str]] = []
        while len(rows) in store:
            rows.append(store.about(len(rows))["row"])
        self.done = [_done(row) for row in rows]
        self._write_table(rows)

    def reopen(self, state: Mapping[str, Any], labels: Iterator[np.ndarray]) -> None:
        """Go on with a complete stack; `labels` in the order of its label files."""
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
            row: Values of the live table.
            done: The same, as far as it is needed again.
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
        """Places in the table of the stack's frames in their order: late files are put in."""
        return stack_order(self.done)

    def labels(self) -> Iterator[np.ndarray]:
        """Label maps in the order of the stack, uint8 `(height, width)`; 255 where unreadable."""
        store = self._store()
        for place in self.order():
            yield store.read(place)

    def seen(self) -> list[SeenFrame]:
        """List a few frames that were kept, by which the recording is known again."""
        store = self._store()
        sums = ((place, store.about(place).get("checksum")) for place in self._spread())
        return [
            SeenFrame(self.done[place].frame, self.done[place].file, checksum)
            for place, checksum in sums
            if checksum is not None
        ]

    def remove(self) -> None:
        """Delete the labels, once they are in the files of the run; the table stays."""
        self._out.forget_frames()

    def _store(self) -> LabelStore:
        return self._out.store(self.frame_shape)

    def _spread(self) -> list[int]:
        return spread(len(self.done), MOST_SEEN) if self.done else []

    def _write_table(self, rows: Sequence[Sequence[str]]) -> None:
        with complete_or_absent(self.folder / TABLE) as temporary:
            temporary.write_text("".join(map(_line, [self.columns, *rows])), "utf-8")


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a stack that an earlier watch has begun; None where there is none."""
    return read_record(folder / UNFINISHED / IDENTITY) or None


def read_table(folder: Path) -> list[DoneFrame]:
    """Read the rows of a live table; a last one that was cut off by a kill is left out."""
    return [_done(row) for row in _rows(folder)]


def _done(row: Sequence[str]) -> DoneFrame:
    return DoneFrame(int(row[0]), row[1] or None, float(row[3]), row[-1] or None)


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
