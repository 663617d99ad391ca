"""Parts of a stack that are segmented by themselves, and the files they wait in.

A chunk is a number of whole batches, so that its labels are those of a run of one process.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amseg_keras.atomic import complete_or_absent
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
        packed: Of all frames, one byte a pixel, compressed with zlib.
        errors: Of each frame that could not be read its index in the stack, and why.
    """

    packed: bytes
    errors: tuple[tuple[int, str], ...]


def chunks_of(frames: int, batch_size: int) -> list[Chunk]:
    """All chunks of a stack.

    Example:
        >>> chunks_of(20, batch_size=1)
        [Chunk(first=0, last=8), Chunk(first=8, last=16), Chunk(first=16, last=20)]
    """
    size = BATCHES * batch_size
    return [Chunk(first, min(first + size, frames)) for first in range(0, frames, size)]


def chunk_file(folder: Path, chunk: Chunk) -> Path:
    """Where a chunk waits until those before it are there."""
    return folder / f"{chunk.first}-{chunk.last}.chunk"


def write_chunk(folder: Path, chunk: Chunk, labels: ChunkLabels) -> None:
    """Write a chunk, whole or not at all."""
    folder.mkdir(exist_ok=True)
    with complete_or_absent(chunk_file(folder, chunk)) as temporary:
        temporary.write_bytes(json.dumps(labels.errors).encode() + b"\n" + labels.packed)


def read_chunk(folder: Path, chunk: Chunk, frame_shape: tuple[int, int]) -> list[LabelledFrame]:
    """The frames of a chunk that was written."""
    head, packed = chunk_file(folder, chunk).read_bytes().split(b"\n", 1)
    errors = dict(json.loads(head))
    labels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(len(chunk), *frame_shape)
    return [
        LabelledFrame(index, frame, error=errors.get(index))
        for index, frame in enumerate(labels, chunk.first)
    ]
