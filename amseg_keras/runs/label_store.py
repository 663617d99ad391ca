"""Label maps of an unfinished run, kept frame by frame so that a killed run can go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.segment import LabelledFrame

FOLDER = ".unfinished"


class LabelStore:
    """Labels of a run that goes on, in `.unfinished` below its output folder.

    `labels.raw` is one byte a pixel, frame after frame, appended; `errors.jsonl` names the frames
    that could not be read. What was appended last may be cut off by a kill: a whole number of
    batches counts as done.

    Args:
        folder: output folder of the run.
        shape: frames, height, width.
        identity: what the labels depend on; a store with another identity is begun anew.
        batch_size: frames segmented together; a resumed run begins at a multiple of it, so that
            its labels are those of an undisturbed one.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, int, int], identity: dict[str, Any], batch_size: int
    ) -> None:
        self.folder = folder / FOLDER
        self.shape = shape
        self.frame_bytes = shape[1] * shape[2]
        self.labels_file = self.folder / "labels.raw"
        self.errors_file = self.folder / "errors.jsonl"
        identity_file = self.folder / "identity.json"
        wanted = json.dumps({"shape": shape, "batch_size": batch_size, **identity}, indent=1)
        if not identity_file.is_file() or identity_file.read_text("utf-8") != wanted:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            with complete_or_absent(identity_file) as temporary:
                temporary.write_text(wanted, "utf-8")
        self.labels_file.touch()
        whole = self.labels_file.stat().st_size // self.frame_bytes
        self.done = shape[0] if whole >= shape[0] else whole // batch_size * batch_size
        os.truncate(self.labels_file, self.done * self.frame_bytes)
        self.errors = {index: text for index, text in self._recorded_errors() if index < self.done}
        self._file: BinaryIO | None = None

    def __enter__(self) -> LabelStore:
        self._file = self.labels_file.open("ab")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._file is not None
        self._file.close()

    def append(self, frame: LabelledFrame) -> None:
        """Add the next frame; it survives a kill of the program from here on."""
        assert self._file is not None
        if frame.error is not None:
            self.errors[frame.index] = frame.error
            with self.errors_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([frame.index, frame.error]) + "\n")
        self._file.write(np.ascontiguousarray(frame.labels).tobytes())
        self._file.flush()
        self.done = frame.index + 1

    def labels(self) -> Iterator[np.ndarray]:
        """The label map of every frame in turn, uint8 `(height, width)`; 255 where unreadable."""
        with self.labels_file.open("rb") as file:
            for _ in range(self.done):
                frame = np.frombuffer(file.read(self.frame_bytes), np.uint8)
                yield frame.reshape(self.shape[1:])

    def remove(self) -> None:
        """Delete the store, once its labels are in the files of the run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _recorded_errors(self) -> Iterator[tuple[int, str]]:
        if self.errors_file.is_file():
            for line in self.errors_file.read_text("utf-8").splitlines():
                try:
                    index, text = json.loads(line)
                except ValueError:  # cut off by a kill: its frame is not in labels.raw either
                    continue
                yield int(index), str(text)
