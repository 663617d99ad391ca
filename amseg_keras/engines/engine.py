"""What every inference engine can do, and their names."""

from __future__ import annotations

from typing import Protocol

import numpy as np

ENGINES = ("auto", "keras", "openvino", "openvino-bf16", "openvino-int8", "onnxruntime", "ncnn")
"""As `Segmenter.compile_inference` and `--engine` take them."""


class Engine(Protocol):
    """A network made ready to run on many frames.

    Every frame is computed for itself: what it gives does not depend on the frames beside it.

    Attributes:
        name: one of `ENGINES`.
        precision: in which it computes: `"float32"`, `"bfloat16"`, `"float16"` or `"int8"`.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> engine = from_pretrained("amsegnet-esrf-lite").compile_inference("keras").engine
        >>> engine.name, engine.precision
        ('keras', 'float32')
        >>> found = engine.labels(np.zeros((2, 32, 48, 1), np.float32))
        >>> found.shape, found.dtype
        ((2, 32, 48), dtype('uint8'))
    """

    name: str
    precision: str

    def labels(self, frames: np.ndarray) -> np.ndarray:
        """Class ids, uint8 `(batch, height, width)`.

        Args:
            frames: float32 `(batch, height, width, channels)`, sides multiples of 16.
        """
        ...

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 `(batch, height, width, classes)`.

        Args:
            frames: as for `labels`.
        """
        ...
