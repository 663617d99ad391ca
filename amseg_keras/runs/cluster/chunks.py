"""Parts of a stack that are segmented by themselves, and their labels as they travel.

A chunk is a number of whole batches, so that its labels are those of a run of one process.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from amseg_keras.segment import LabelledFrame

BATCHES = 8
"""Batches of a chunk: some seconds of work on a CPU, and a few kilobytes of compressed labels."""


@dataclass(frozen=True, order=True)
class Chunk:
    """Frames `first` to `last - 1` of a stack."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class ChunkLabels:
    """The labels of a chunk as they travel.

    Attributes:
        packed: Label maps of all frames, one byte a pixel, compressed with zlib.
        errors: Index in the stack of each frame that could not be read, and why.
    """

    packed: bytes
    errors: tuple[tuple[int, str], ...]

    def frames(self, chunk: Chunk, frame_shape: tuple[int, int]) -> list[LabelledFrame]:
        """Unpack the labels.

        Args:
            chunk: Frames that the labels are of.
            frame_shape: Height and width of a frame.
        """
        errors = dict(self.errors)
        maps = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return [
            LabelledFrame(index, labels, error=errors.get(index))
            for index, labels in enumerate(maps.reshape(len(chunk), *frame_shape), chunk.first)
        ]


def chunks_of(missing: Iterable[range], batch_size: int) -> list[Chunk]:
    """Divide the frames that are to be segmented into chunks.

    Args:
        missing: Frames to segment, in whole batches.
        batch_size: Frames given to the network at once.

    Example:
        >>> chunks_of([range(0, 10), range(12, 14)], batch_size=1)
        [Chunk(first=0, last=8), Chunk(first=8, last=10), Chunk(first=12, last=14)]
    """
    size = BATCHES * batch_size
    return [
        Chunk(first, min(first + size, part.stop))
        for part in missing
        for first in range(part.start, part.stop, size)
    ]
