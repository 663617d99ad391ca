"""Segment one chunk of a stack in a worker: a process of this machine or of a cluster.

A chunk is a number of whole batches, so that its labels are those of a run in one process.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import zlib
from collections.abc import Hashable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.engines import EngineMissingError
from amseg_keras.engines.engine import THREADS
from amseg_keras.preprocess import GreyRange, Inputs
from amseg_keras.pretrained import PresetError, find_preset
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import FrameStack, ReadError, StackSource
from amseg_keras.runs.segment import BATCHES_AHEAD
from amseg_keras.runs.streams import ReadAhead
from amseg_keras.segment import LabelledFrame, Segmenter, from_pretrained
from amseg_keras.segment.running import choose_device

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
        """Unpack the labels."""
        errors = dict(self.errors)
        maps = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return [
            LabelledFrame(index, labels, error=errors.get(index))
            for index, labels in enumerate(maps.reshape(len(chunk), *frame_shape), chunk.first)
        ]


def chunks_of(missing: Iterable[range], batch_size: int) -> list[Chunk]:
    """Divide the frames that are to be segmented into chunks.

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


def take_part_of_machine(threads: int) -> None:
    """Let the network compute in so many threads, and take GPU memory as it needs it.

    Works until the backend has computed something; it reads the variables then.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ[THREADS] = str(threads)
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    # What XLA on a CPU takes for the number of cores.
    os.environ["NPROC"] = str(threads)
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class NetworkSpec:
    """The network that a worker is to load, in plain values.

    Args:
        model: Name, folder or repository of the preset.
        revision: Of a repository.
        weights_sha256: Of the weights; others under the same name are refused.
        backend: Of Keras; None for a network that runs without Keras.
        device: As `--device` takes it.
        engine: Of `engines.ENGINES`, what it is to run on; None for Keras as it is.
        threads: For one worker; by default what its backend takes.
    """

    model: str
    revision: str | None
    weights_sha256: str
    backend: str | None
    device: str = "auto"
    engine: str | None = None
    threads: int | None = None


@dataclass(frozen=True)
class ChunkTask:
    """Everything that a worker needs to know to segment a chunk.

    Attributes:
        source: The stack, its files as the worker sees them.
        shape: What the worker must find there.
        network: What to segment it with.
        grey_range: Of the whole stack.
        background: Background policy of the whole stack.
        scale: Factor by which frames are enlarged for the network.
        batch_size: Frames given to the network at once.
        chunk: The frames to segment.
    """

    source: StackSource
    shape: tuple[int, int, int]
    network: NetworkSpec
    grey_range: GreyRange
    background: str
    scale: float
    batch_size: int
    chunk: Chunk


@dataclass(frozen=True)
class ChunkFailed:
    """Why a worker cannot segment a chunk, where trying again would not help."""

    reason: str


def segment_chunk(task: ChunkTask) -> ChunkLabels | ChunkFailed:
    """Segment a chunk; called in a worker.

    The network and the stack stay open for the next chunk. A worker does one chunk at a time,
    however many threads it has.
    """
    with _one_at_a_time:
        try:
            segmenter, device = _kept.network(task.network)
            stack = _kept.stack(task.source)
            if stack.shape != task.shape:
                found, wanted = (" x ".join(map(str, size)) for size in (stack.shape, task.shape))
                raise ReadError(f"{stack.source}: is {found} there and {wanted} here")
        except (ReadError, PresetError, ValueError) as error:
            return ChunkFailed(
                f"{error} (on worker {socket.gethostname()}; every worker must see the files "
                "and presets that you name, under the same path)"
            )
        with _on_device(task.network, device):
            return _labels(segmenter, stack, task)


def _labels(segmenter: Segmenter, stack: FrameStack, task: ChunkTask) -> ChunkLabels:
    chunk, size = task.chunk, task.batch_size
    packer = zlib.compressobj(1)
    parts: list[bytes] = []
    errors = []
    indices = range(chunk.first, chunk.last)
    inputs = _kept.inputs(segmenter, stack, task)
    with ReadAhead(stack, indices, BATCHES_AHEAD * size) as frames:
        given = inputs.reading(frames.until(chunk.last))
        for frame in segmenter.iter_labels(given, start=chunk.first, batch_size=size):
            parts.append(packer.compress(frame.labels.tobytes()))
            if frame.error is not None:
                errors.append((frame.index, frame.error))
            frames.forget(frame.index)
    return ChunkLabels(b"".join([*parts, packer.flush()]), tuple(errors))


class _Kept:
    """What a worker has open: the network and the stack of the chunk before."""

    def __init__(self) -> None:
        self._network: tuple[Hashable, Any] = (None, None)
        self._stack: tuple[Hashable, Any] = (None, None)
        self._inputs: tuple[Hashable, Any] = (None, None)

    def network(self, spec: NetworkSpec) -> tuple[Segmenter, str]:
        if self._network[0] != spec:
            self._network = (None, None)
            self._network = spec, _load(spec)
        network: tuple[Segmenter, str] = self._network[1]
        return network

    def stack(self, source: StackSource) -> FrameStack:
        # A worker outlives the files that it has open.
        about = [os.stat(file) for file in source.files[:1] if file.exists()]
        key = source, tuple((one.st_size, one.st_mtime_ns) for one in about)
        if self._stack[0] != key:
            if self._stack[1] is not None:
                self._stack[1].close()
            self._stack = (None, None)
            self._inputs = (None, None)
            self._stack = key, source.open()
        opened: FrameStack = self._stack[1]
        return opened

    def inputs(self, segmenter: Segmenter, stack: FrameStack, task: ChunkTask) -> Inputs:
        """What the network is given of a stack; its background serves all chunks of it."""
        key = task.network, task.grey_range, task.background, task.scale
        if self._inputs[0] != key:
            made = segmenter.inputs(
                stack, task.grey_range, background=task.background, scale=task.scale
            )
            made.load()
            self._inputs = key, made
        inputs: Inputs = self._inputs[1]
        return inputs


def _load(spec: NetworkSpec) -> tuple[Segmenter, str]:
    """The network and the device it is on. The one place that knows what it runs with."""
    if spec.threads is not None:
        take_part_of_machine(spec.threads)
    device = "cpu:0"
    if spec.backend is not None:
        import keras

        if keras.backend.backend() != spec.backend:
            raise PresetError(
                f"the worker runs Keras on {keras.backend.backend()}, this command on "
                f"{spec.backend}; start the workers with KERAS_BACKEND={spec.backend}"
            )
        device = choose_device(spec.device)
    preset = find_preset(spec.model, spec.revision)
    if weights_digest(preset) != spec.weights_sha256:
        raise PresetError(f"{spec.model}: has other weights there than here; copy the preset again")
    with _on_device(spec, device):
        segmenter = from_pretrained(preset)
        if spec.engine is not None:
            try:
                segmenter.compile_inference(spec.engine)
            except (EngineMissingError, ValueError) as error:
                raise PresetError(f"on a worker: {error}; or give --engine keras") from error
        return segmenter, device


def _on_device(spec: NetworkSpec, device: str) -> AbstractContextManager[Any]:
    """Have Keras compute on a device, if it computes at all."""
    if spec.backend is None:
        return nullcontext()
    import keras

    context: AbstractContextManager[Any] = keras.device(device)
    return context


_kept = _Kept()
_one_at_a_time = threading.Lock()
