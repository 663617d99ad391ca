"""Frames of an unfinished run on their way: label maps, or other maps, each with its number.

One file holds entry after entry: a header, what is to be known of the frame as JSON, the map, and
a checksum over all of it. An entry is appended in one write. What a kill or a full disk cut off is
dropped when the file is opened again, and an entry whose checksum is wrong counts as missing. So
no frame is ever read as another one.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MAGIC = b"AMF1"
_HEADER = struct.Struct("<4sQIQI")
"""Magic, frame number, bytes of JSON, bytes of the map, checksum of all but the magic."""

_LARGEST_NUMBER = 1 << 48


class StoreDamagedError(OSError):
    """An entry of the store does not hold what was written; the frame has to be done again."""


@dataclass(frozen=True)
class _Entry:
    offset: int
    about_bytes: int
    map_bytes: int

    @property
    def end(self) -> int:
        return self.offset + _HEADER.size + self.about_bytes + self.map_bytes


class LabelStore:
    """Maps of frames in a file that survives a kill of the program.

    Frames may be appended in any order, by several threads of one process. A frame that is
    appended twice is read as it was appended last.

    Args:
        path: File of the store; its folder must exist. A damaged end of it is cut off.
        dtype: Dtype of every map; uint8 for label maps.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "frames"
        >>> with LabelStore(path, (2, 3)) as store:
        ...     store.append(7, np.full((2, 3), 4, np.uint8))
        ...     store.append(2, np.full((2, 3), 255, np.uint8), {"error": "frame 2 is damaged"})
        >>> again = LabelStore(path, (2, 3))
        >>> again.numbers, int(again.read(7).max()), again.about(2)
        ([2, 7], 4, {'error': 'frame 2 is damaged'})
    """

    def __init__(self, path: Path, frame_shape: Sequence[int], dtype: Any = np.uint8) -> None:
        self.path = path
        self.frame_shape = tuple(frame_shape)
        self.dtype = np.dtype(dtype)
        self._map_bytes = int(np.prod(self.frame_shape)) * self.dtype.itemsize
        self._lock = threading.Lock()
        self._writer: BinaryIO | None = None
        self._entries: dict[int, _Entry] = {}
        path.touch()
        self._end = self._find_entries()
        if self._end < path.stat().st_size:
            os.truncate(path, self._end)
        self._reader = path.open("rb")

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Frames can still be read and appended: it is opened again for that."""
        with self._lock:
            self._reader.close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the frames that are in the store, rising."""
        return sorted(self._entries)

    def missing(self, frames: int, batch_size: int) -> tuple[range, ...]:
        """List the frames that the store lacks, in whole batches.

        Args:
            batch_size: Frames of a batch; batches begin at its multiples.

        Example:
            >>> import tempfile
            >>> with LabelStore(Path(tempfile.mkdtemp()) / "frames", (1, 1)) as store:
            ...     for index in (0, 1, 2, 5, 8, 9):
            ...         store.append(index, np.zeros((1, 1), np.uint8))
            ...     store.missing(frames=10, batch_size=2)
            (range(2, 8),)
        """
        parts: list[range] = []
        for first in range(0, frames, batch_size):
            last = min(first + batch_size, frames)
            if all(index in self for index in range(first, last)):
                continue
            if parts and parts[-1].stop == first:
                first = parts.pop().start
            parts.append(range(first, last))
        return tuple(parts)

    def append(
        self, number: int, values: np.ndarray, about: Mapping[str, Any] | None = None
    ) -> None:
        """Add a frame; it survives a kill of the program from here on.

        Args:
            values: Map of the frame, of `frame_shape` and `dtype`.
            about: Further facts about the frame, as JSON can hold them.

        Raises:
            ValueError: The map has another shape or dtype.
            OSError: The entry cannot be written whole; the store is as it was before.
        """
        if values.shape != self.frame_shape or values.dtype != self.dtype:
            raise ValueError(
                f"a map of {values.shape} {values.dtype} does not belong into a store of "
                f"{self.frame_shape} {self.dtype}"
            )
        said = json.dumps(about).encode() if about else b""
        content = said + np.ascontiguousarray(values).tobytes()
        head = _HEADER.pack(_MAGIC, number, len(said), self._map_bytes, 0)[: -struct.calcsize("I")]
        sums = zlib.crc32(content, zlib.crc32(head[len(_MAGIC) :]))
        with self._lock:
            if self._writer is None:
                self._writer = self.path.open("ab", buffering=0)
            whole = head + struct.pack("<I", sums) + content
            try:
                written = self._writer.write(whole)
            except OSError:
                os.truncate(self.path, self._end)
                raise
            if written != len(whole):
                os.truncate(self.path, self._end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self._entries[number] = _Entry(self._end, len(said), self._map_bytes)
            self._end += len(whole)

    def read(self, number: int) -> np.ndarray:
        """Read the map of a frame, `frame_shape` of `dtype`.

        Raises:
            KeyError: The frame is not in the store.
            StoreDamagedError: The entry does not hold what was written.
        """
        return self._content(number)[1]

    def about(self, number: int) -> dict[str, Any]:
        """Read what is known of a frame beside its map; empty if nothing was said.

        Raises:
            KeyError, StoreDamagedError: As `read`.
        """
        if not self._entries[number].about_bytes:
            return {}
        return self._content(number)[0]

    @property
    def errors(self) -> dict[int, str]:
        """Frames whose `about` names an `error`, each with its sentence, in rising order."""
        found = ((number, self.about(number).get("error")) for number in self.numbers)
        return {number: error for number, error in found if error is not None}

    def _content(self, number: int) -> tuple[dict[str, Any], np.ndarray]:
        entry = self._entries[number]
        with self._lock:
            if self._reader.closed:
                self._reader = self.path.open("rb")
            self._reader.seek(entry.offset)
            whole = self._reader.read(entry.end - entry.offset)
        if len(whole) != entry.end - entry.offset or _number_in(whole) != number:
            raise StoreDamagedError(f"{self.path}: frame {number} was changed after it was written")
        said, values = whole[_HEADER.size :][: entry.about_bytes], whole[-entry.map_bytes :]
        array = np.frombuffer(values, self.dtype).reshape(self.frame_shape)
        return (json.loads(said) if said else {}), array

    def _find_entries(self) -> int:
        """Find every whole entry; the place behind the last one."""
        end = 0
        with self.path.open("rb") as file:
            while True:
                head = file.read(_HEADER.size)
                if len(head) < _HEADER.size:
                    return end
                magic, number, about_bytes, map_bytes, _ = _HEADER.unpack(head)
                if magic != _MAGIC or map_bytes != self._map_bytes or number > _LARGEST_NUMBER:
                    return end
                content = file.read(about_bytes + map_bytes)
                if len(content) < about_bytes + map_bytes:
                    return end
                entry = _Entry(end, about_bytes, map_bytes)
                end = entry.end
                if _number_in(head + content) is not None:
                    self._entries[number] = entry
                else:
                    self._entries.pop(number, None)


def _number_in(whole: bytes) -> int | None:
    """Return the number of the frame that an entry holds; None if its checksum is wrong."""
    magic, number, _, _, sums = _HEADER.unpack_from(whole)
    checked = zlib.crc32(whole[len(_MAGIC) : _HEADER.size - struct.calcsize("I")])
    if magic != _MAGIC or zlib.crc32(memoryview(whole)[_HEADER.size :], checked) != sums:
        return None
    return int(number)
