"""Frames that `amseg prepare` could not read, and wrote as zeros."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.read.errors import ReadError
from amseg_keras.read.formats.base import FrameReader

RECORD = "prepare.json"
"""Name of the record that `amseg prepare` leaves beside its frames."""


def without_lost_frames(reader: FrameReader, file: Path) -> FrameReader:
    """Give a reader that hands out no zeros for frames that were lost before they were prepared.

    Args:
        reader: Reader of the file.
        file: File; if no record of `amseg prepare` lies beside it, the reader is given back.
    """
    lost = _lost_frames(file)
    return _PreparedReader(reader, lost) if lost else reader


def _lost_frames(file: Path) -> dict[int, Mapping[str, Any]]:
    try:
        record = json.loads((file.parent / RECORD).read_text("utf-8"))
        if file.name not in record["outputs"]:
            return {}
        return {int(one["frame"]): one for one in record["unreadable_frames"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


class _PreparedReader(FrameReader):
    """Frames of another reader, without those that were lost."""

    def __init__(self, reader: FrameReader, lost: Mapping[int, Mapping[str, Any]]) -> None:
        self._reader, self._lost = reader, lost
        self.label, self.kind, self.info = reader.label, reader.kind, reader.info
        self.linked_files = reader.linked_files

    def read(self, index: int) -> np.ndarray:
        if index in self._lost:
            raise ReadError(
                f"{self.where(index)} could not be read when it was prepared "
                f"({self._lost[index].get('error')})"
            )
        return self._reader.read(index)

    def is_missing(self, index: int) -> bool:
        if index in self._lost:
            return bool(self._lost[index].get("missing"))
        return self._reader.is_missing(index)

    def where(self, index: int) -> str:
        return self._reader.where(index)

    def close(self) -> None:
        self._reader.close()
