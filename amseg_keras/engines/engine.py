"""What every inference engine can do, what it needs, and how two engines are compared."""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
from typing import Any, Protocol

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


class EngineMissingError(RuntimeError):
    """An engine whose package is not installed; the message says how to get it.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> try:
        ...     compiled = segmenter.compile_inference("openvino")
        ... except EngineMissingError:  # pip install 'amseg-keras[fast]'
        ...     compiled = segmenter.compile_inference("keras")
        >>> segmenter.engine in ("openvino", "keras")
        True
    """


def installed(*packages: str) -> bool:
    """Whether all of the packages can be imported.

    Args:
        packages: names, as they are imported.

    Example:
        >>> installed("numpy"), installed("numpy", "no_such_package")
        (True, False)
    """
    return all(importlib.util.find_spec(package) is not None for package in packages)


def need(package: str) -> Any:
    """Import a package.

    Args:
        package: its name, as it is imported.

    Raises:
        EngineMissingError: it is not installed.
    """
    try:
        if package == "openvino":
            return _without_converter()
        return importlib.import_module(package)
    except ImportError as error:
        extra = _EXTRA.get(package, "fast")
        raise EngineMissingError(
            f"{package} is not installed: run pip install 'amseg-keras[{extra}]'"
        ) from error


_CONVERTER = "openvino.tools.ovc"


def _without_converter() -> Any:
    """OpenVINO without its converter of models, which nothing here needs.

    The converter takes half of the time of the import, and loads a client that reports its use.
    """
    here = "openvino" not in sys.modules and _CONVERTER not in sys.modules
    if here:
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        if here:
            del sys.modules[_CONVERTER]


_EXTRA = {"openvino": "runtime", "tensorflow": "tensorflow"}

THREADS = "AMSEG_ENGINE_THREADS"
"""Environment variable with the number; without it an engine takes all cores."""


def thread_limit() -> int | None:
    """The number of threads that an engine may take, `None` for as many as it likes."""
    given = os.environ.get(THREADS)
    return int(given) if given else None


def give_back_memory() -> None:
    """Free what nothing uses any more, and on Linux return it to the system.

    Keras networks refer to themselves, so they wait for the collector. glibc keeps freed blocks of
    some megabytes, such as their kernels, and what comes next, in threads of its own, does not take
    them again.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)


def equal_fraction(labels: np.ndarray, reference: np.ndarray) -> float:
    """Share of the pixels that have the same class.

    Example:
        >>> equal_fraction(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.75
    """
    return float((labels == reference).mean())


def lost_iou(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> float:
    """How far the mean IoU is below 1 if the reference is taken for the truth.

    Example:
        >>> lost_iou(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 1]), 3)
        0.0
    """
    ious = []
    for number in range(num_classes):
        found, true = labels == number, reference == number
        if union := np.count_nonzero(found | true):
            ious.append(np.count_nonzero(found & true) / union)
    return float(1 - np.mean(ious))
