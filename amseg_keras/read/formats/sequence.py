"""Readers around other readers: numbered files as one stack, prepared frames without lost ones."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats import open_reader
from amseg_keras.read.formats.base import FrameReader, StackInfo

_COMPARED = 9
"""Files that decide the size of a sequence if the first two disagree."""


class SequenceReader(FrameReader):
    """One frame from each file, in the order given; opened one at a time.

    Size, dtype and metadata come from the first file that can be read, unless most others differ
    from it; a broken or odd file is an error of its own frame only.

    Args:
        label: The folder or pattern as it was given.
        positions: Frame number of each file, ascending; numbers left out are missing frames. None
            for files without gaps.
    """

    kind = "a frame of a sequence"

    def __init__(
        self,
        label: str,
        files: Sequence[Path],
        positions: Sequence[int] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.label = label
        places = range(len(files)) if positions is None else positions
        self._files = dict(zip(places, files, strict=True))
        frames = max(self._files) + 1
        self._typical, info = _find_typical(label, list(self._files.values()))
        names = tuple(
            self._files[index].name if index in self._files else "" for index in range(frames)
        )
        self.info = replace(
            info, frames=frames, frame_names=names, notes=(*notes, *info.notes), first_number=None
        )

    def read(self, index: int) -> np.ndarray:
        file = self._files.get(index)
        if file is None:
            raise ReadError(f"{self.where(index)} is missing, no file has its number")
        found, frame = _read_single(file)
        expected = self.info
        if (found.height, found.width, found.dtype) != (
            expected.height,
            expected.width,
            expected.dtype,
        ):
            raise ReadError(
                f"{file}: is {_describe(found)}, but {self._typical.name}, the first frame of the "
                f"sequence, is {_describe(expected)}; export it like the others or move it to a "
                "folder of its own"
            )
        return frame

    def where(self, index: int) -> str:
        return f"{self._files.get(index, self.label)}: frame {index}"

    def is_missing(self, index: int) -> bool:
        return index not in self._files


class JoinedReader(FrameReader):
    """The frames of several files, one file after the other; one is open at a time.

    Args:
        label: The folder or pattern as it was given.
        files: Files in the order of their frames; each may hold several frames.

    Raises:
        ReadError: One of the files cannot be opened, so that it is not known how many frames it
            has, or they differ in size.
    """

    kind = "a file of a recording"

    def __init__(self, label: str, files: Sequence[Path], notes: tuple[str, ...] = ()) -> None:
        self.label = label
        self._files = tuple(files)
        infos = []
        for file in files:
            reader = open_reader(file)
            reader.close()
            infos.append(reader.info)
        first = infos[0]
        for file, info in zip(files, infos, strict=True):
            if _describe(info) != _describe(first):
                raise ReadError(
                    f"{file}: has frames of {_describe(info)}, but {files[0].name} has "
                    f"{_describe(first)}; join files of one size, or leave out --join"
                )
        self._ends = tuple(accumulate(info.frames for info in infos))
        self._open: tuple[int, FrameReader] | None = None
        self.info = replace(
            first, frames=self._ends[-1], notes=(*notes, *first.notes), whole=None, frame_names=None
        )

    def read(self, index: int) -> np.ndarray:
        number, inside = self._place(index)
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = number, open_reader(self._files[number])
        return self._open[1].read(inside)

    def where(self, index: int) -> str:
        number, inside = self._place(index)
        return f"{self._files[number]}: frame {index} (its own frame {inside})"

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _place(self, index: int) -> tuple[int, int]:
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)


def _find_typical(label: str, files: Sequence[Path]) -> tuple[Path, StackInfo]:
    """Find a typical file: the first one that can be read, unless the second differs."""
    found: list[tuple[Path, StackInfo]] = []
    first_error: ReadError | None = None
    for file in files:
        try:
            found.append((file, _read_single(file)[0]))
        except ReadError as error:
            first_error = first_error or error
        if len(found) == 2:
            break
    if not found:
        raise ReadError(
            f"{label}: none of its {len(files)} files can be read; the first says: {first_error}"
        ) from first_error
    if len({_describe(info) for _, info in found}) == 1:
        return found[0]
    for at in sorted({round(k * (len(files) - 1) / (_COMPARED - 1)) for k in range(_COMPARED)}):
        if files[at] in (one for one, _ in found):
            continue
        try:
            found.append((files[at], _read_single(files[at])[0]))
        except ReadError:
            continue
    usual = Counter(_describe(info) for _, info in found).most_common(1)[0][0]
    return next(one for one in found if _describe(one[1]) == usual)


def _read_single(file: Path) -> tuple[StackInfo, np.ndarray]:
    reader = open_reader(file)
    try:
        if reader.info.frames != 1:
            raise ReadError(
                f"{file}: holds {reader.info.frames} frames where the sequence has one a file; "
                "move it to a folder of its own"
            )
        with reading(str(file), reader.kind):
            return reader.info, reader.read(0)
    finally:
        reader.close()


def _describe(info: StackInfo) -> str:
    return f"{info.height} x {info.width} {info.dtype}"


RECORD = "prepare.json"
"""Name of the record that `amseg prepare` leaves beside its frames."""


def without_lost_frames(reader: FrameReader, file: Path) -> FrameReader:
    """Give a reader that hands out no zeros for frames that were lost before they were prepared.

    Args:
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
