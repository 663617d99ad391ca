"""ncnn as an engine: Winograd convolutions on the processor, in float32."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.backend import usable_cores
from amseg_keras.engines.graph import Nodes
from amseg_keras.engines.graph.ncnn_format import ncnn_model
from amseg_keras.engines.need import need
from amseg_keras.engines.threads import thread_limit

_LESS_THAN_FLOAT32 = (
    "use_bf16_packed",
    "use_bf16_storage",
    "use_fp16_arithmetic",
    "use_fp16_packed",
    "use_fp16_storage",
)

_LEAST_FILLED = 0.25
"""Of a block of memory, by what it is used for again: with less, small tensors take large blocks,
with more, blocks wait for a tensor of their size. AM-SegNet needs the least memory so."""


class NcnnEngine:
    """The network in one thread for each frame, several frames at work at a time.

    A 3x3 convolution of 36 outputs at a time multiplies 64 times for each channel where the
    definition multiplies 324 times (Winograd's minimal filtering), for an error in the
    probabilities of about 1e-5.

    Args:
        nodes: the network, ending in probabilities.

    Raises:
        EngineMissingError: ncnn is not installed.
        ValueError: an operation has no translation.
    """

    name = "ncnn"
    precision = "float32"

    def __init__(self, nodes: Nodes) -> None:
        self._ncnn = need("ncnn")
        model = ncnn_model(nodes)
        self._frames, self._scores = model.frames, model.scores
        self._probabilities = model.probabilities
        self._net = self._ncnn.Net()
        self._net.opt.num_threads = 1
        for option in _LESS_THAN_FLOAT32:
            setattr(self._net.opt, option, False)
        with tempfile.TemporaryDirectory() as folder:
            # from memory it would be used in place, and only where it is aligned
            file = Path(folder) / "weights.bin"
            file.write_bytes(model.weights)
            if self._net.load_param_mem(model.layers) or self._net.load_model(str(file)):
                raise RuntimeError("ncnn does not read the network that was written for it")
        self._blocks = _Blocks(self._ncnn)
        self._threads = ThreadPoolExecutor(thread_limit() or usable_cores())

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return np.stack(list(self._threads.map(self._labels_of, frames)))

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        found = self._threads.map(lambda frame: self._run(frame, self._probabilities), frames)
        return np.stack([np.moveaxis(classes, 0, -1) for classes in found])

    def _labels_of(self, frame: np.ndarray) -> np.ndarray:
        first, *others = self._run(frame, self._scores)
        ids, highest = np.zeros(first.shape, np.uint8), first
        for number, scores in enumerate(others, start=1):
            ids[scores > highest] = number
            np.maximum(highest, scores, out=highest)
        return ids

    def _run(self, frame: np.ndarray, output: str) -> np.ndarray:
        extractor = self._net.create_extractor()
        extractor.set_blob_allocator(self._blocks.tensors)
        extractor.set_workspace_allocator(self._blocks.scratch)
        channels_first = np.ascontiguousarray(np.moveaxis(frame, -1, 0))
        # a copy, as a first layer that works in place crashes on memory that is not ncnn's own
        extractor.input(self._frames, self._ncnn.Mat(channels_first).clone())
        failed, found = extractor.extract(output)
        if failed:
            raise RuntimeError(f"ncnn could not run the network on {frame.shape[:2]} pixels")
        return np.array(found)


class _Blocks(threading.local):
    """Memory that a thread uses again from frame to frame.

    The pools of a net serve all threads, and grow for hundreds of frames, as it is chance which
    block a thread finds there.
    """

    def __init__(self, ncnn: Any) -> None:
        self.tensors, self.scratch = ncnn.UnlockedPoolAllocator(), ncnn.UnlockedPoolAllocator()
        for pool in (self.tensors, self.scratch):
            pool.set_size_compare_ratio(_LEAST_FILLED)
