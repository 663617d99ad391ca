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
"""Batches of a chunk: seconds of work on a CPU, and a few kilobytes of compressed labels."""


@dataclass(frozen=True, order=True)
class Chunk:
    """Frames `first` to `last - 1` of a stack."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class ChunkLabels:
    """The labels of a chunk, packed for the way to the client.

    Attributes:
        packed: Label maps of all frames, one byte a pixel, compressed with zlib.
        errors: Index and error of each frame of the stack that could not be read.
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
    """Divide missing frames, given in whole batches, into chunks.

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
    """Limit the threads of the network, and let it claim GPU memory step by step.

    This works before the first computation of the backend, which reads the variables.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ[THREADS] = str(threads)
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    # XLA on a CPU reads the number of cores from this variable.
    os.environ["NPROC"] = str(threads)
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class NetworkSpec:
    """The network that a worker loads, in plain values.

    Args:
        weights_sha256: Digest of the weights; other weights under the same name are refused.
        backend: Backend of Keras; None for a network that runs without Keras.
        device: Device as `--device` takes it.
        engine: Engine of `engines.ENGINES`; None for Keras without an engine.
        threads: Threads of one worker; by default as its backend chooses.
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
    """Facts that a worker needs to segment a chunk.

    Attributes:
        source: Stack, with the paths of its files on the worker.
        shape: Shape that the worker must find.
        grey_range: Grey levels of the whole stack.
        background: Background policy of the whole stack.
        scale: Factor by which frames are enlarged for the network.
        batch_size: Frames given to the network at once.
        chunk: Frames to segment.
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
    """Reason why a worker cannot segment a chunk, which a repetition would not change."""

    reason: str


def segment_chunk(task: ChunkTask) -> ChunkLabels | ChunkFailed:
    """Segment a chunk in a worker.

    The network and the stack stay open for the next chunk. A worker segments one chunk at a time,
    however many threads it has.
    """
    with _one_at_a_time:
        try:
            segmenter, device = _kept.network(task.network)
            stack = _kept.stack(task.source)
            if stack.shape != task.shape:
                there, here = (" x ".join(map(str, size)) for size in (stack.shape, task.shape))
                raise ReadError(f"{stack.source}: is {there} there and {here} here")
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


_NOTHING: tuple[Hashable, Any] = (None, None)


class _Kept:
    """The network, stack and inputs of the previous chunk, which stay open."""

    def __init__(self) -> None:
        self._network = self._stack = self._inputs = _NOTHING

    def network(self, spec: NetworkSpec) -> tuple[Segmenter, str]:
        if self._network[0] != spec:
            self._network = _NOTHING
            self._network = spec, _load(spec)
        network: tuple[Segmenter, str] = self._network[1]
        return network

    def stack(self, source: StackSource) -> FrameStack:
        # The files may be replaced while a worker runs.
        stats = [os.stat(file) for file in source.files[:1] if file.exists()]
        key = source, tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)
        if self._stack[0] != key:
            if self._stack[1] is not None:
                self._stack[1].close()
            self._stack = _NOTHING
            self._inputs = _NOTHING
            self._stack = key, source.open()
        opened: FrameStack = self._stack[1]
        return opened

    def inputs(self, segmenter: Segmenter, stack: FrameStack, task: ChunkTask) -> Inputs:
        """Prepare the inputs of a stack, whose background serves all its chunks."""
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
    """Load a network, and return its device too."""
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
    """Let Keras compute on a device, if the network needs Keras."""
    if spec.backend is None:
        return nullcontext()
    import keras

    context: AbstractContextManager[Any] = keras.device(device)
    return context


_kept = _Kept()
_one_at_a_time = threading.Lock()
