"""The Keras backend as an engine: the rewritten network as a compiled function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from amseg_keras.backend import accelerators, forward_pass
from amseg_keras.engines.rewritten import Rewritten
from amseg_keras.models.precision import in_precision
from amseg_keras.rewrite import label_model


class KerasEngine:
    """The rewritten network on the device that Keras uses.

    Args:
        rewritten: the network.
        policy: Keras dtype policy, such as `"float32"` or `"mixed_float16"`.
    """

    name = "keras"

    def __init__(self, rewritten: Rewritten, policy: str = "float32") -> None:
        self.precision = policy.removeprefix("mixed_")
        network = rewritten.network
        labels = label_model(rewritten.original)
        if policy != "float32":
            network, labels = in_precision(network, policy), in_precision(labels, policy)
        self._probabilities = forward_pass(network, training=False)
        self._labels = forward_pass(labels, training=False)
        # A GPU that is given one frame at a time waits for most of the time.
        self._run = _all_at_once if accelerators() else _one_by_one

    def labels(self, frames: np.ndarray) -> np.ndarray:
        return self._run(self._labels, frames).astype(np.uint8)

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return self._run(self._probabilities, frames)


def _all_at_once(run: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    return run(frames)


def _one_by_one(run: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    """Backends choose their kernels by the size of the batch, and round differently by them."""
    return np.concatenate([run(frame[None]) for frame in frames])
