"""Describe the backend and the machine for all other modules."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")

_OUT_OF_MEMORY = ("resource_exhausted", "resource exhausted", "out of memory", "oom when")


def hardware() -> str:
    """Describe the machine in a few words, for records: cores, processor, GPUs.

    Example:
        >>> "core" in hardware()
        True
    """
    cores = usable_cores()
    text = f"{cores} core{'s' * (cores != 1)}, {platform.machine()}"
    if "avx512f" in _processor():
        text += " with AVX-512"
    gpus = accelerators()
    return text + (f", {len(gpus)} x {_accelerator_name()}" if gpus else "")


def usable_cores() -> int:
    """Count the cores that this process may use.

    Example:
        >>> usable_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def may_have_accelerator() -> bool:
    """Tell whether the system shows a GPU or a TPU, without asking a backend.

    Example:
        >>> may_have_accelerator() in (True, False)
        True
    """
    if sys.platform != "linux":
        return "keras" in sys.modules
    return any(any(Path("/dev").glob(pattern)) for pattern in _DEVICE_FILES)


_DEVICE_FILES = ("nvidia[0-9]*", "kfd", "dxg", "accel*", "vfio/[0-9]*")
"""Device files of NVIDIA, AMD, Windows' Linux, and TPUs."""


def accelerators() -> list[str]:
    """List the GPUs or TPUs that the backend sees, as `keras.device` takes them.

    Keras is not imported where the system shows none, or where no backend is installed.
    """
    if not may_have_accelerator() or not has_backend():
        return []
    import keras

    if keras.backend.backend() == "torch":
        # Keras 3.15 lists no devices of PyTorch.
        import torch

        return [f"gpu:{index}" for index in range(torch.cuda.device_count())]
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def best_precision() -> str:
    """Choose the Keras dtype policy that trains fastest here without losing accuracy.

    On GPUs with bfloat16 (and on TPUs) `mixed_bfloat16`, on older GPUs `mixed_float16`. On
    processors bfloat16 pays where it has units of its own: on an AMD Zen 4 a training step on
    TensorFlow takes 0.6 of the time, on an Intel with AVX-512 but without AMX 1.6 times as long.
    """
    import keras

    if accelerators():
        return "mixed_bfloat16" if _gpu_has_bfloat16() else "mixed_float16"
    flags = _processor()
    has_units = "amx_bf16" in flags or ("AuthenticAMD" in flags and "avx512_bf16" in flags)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return "mixed_bfloat16" if has_units and on_tensorflow else "float32"


def compile_options() -> dict[str, Any]:
    """Return arguments of `model.compile`: no XLA on TensorFlow's CPU, where oneDNN is faster."""
    import keras

    if keras.backend.backend() == "tensorflow" and not accelerators():
        return {"jit_compile": False}
    return {}


def has_backend() -> bool:
    """Tell whether Keras and one of its backends are installed.

    Example:
        >>> has_backend() in (True, False)
        True
    """
    names = ("tensorflow", "jax", "torch")
    return find_spec("keras") is not None and any(find_spec(name) is not None for name in names)


def every_device() -> contextlib.AbstractContextManager[int]:
    """Train on all GPUs or TPUs at once; gives how many devices share a batch.

    Data parallel by what the backend offers: `keras.distribution.DataParallel` on JAX,
    `MirroredStrategy` on TensorFlow, and on PyTorch `keras.distribution` from Keras 3.16 on, which
    has it; before, PyTorch trains on one device. The network must be made inside.
    """
    return _on_devices(accelerators())


@contextlib.contextmanager
def _on_devices(devices: list[str]) -> Iterator[int]:
    import keras

    if len(devices) < 2:
        yield 1
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.distribute.MirroredStrategy(devices).scope():
            yield len(devices)
    elif hasattr(keras.distribution, "DataParallel") and keras.backend.backend() == "jax":
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        )
        try:
            yield len(devices)
        finally:
            keras.distribution.set_distribution(before)
    else:
        yield 1


def forward_pass(model: keras.Model, training: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Compile the network as a function of its input, `(batch, height, width, channels)`.

    With `training` the batch norms use the statistics of the batch and move their running ones,
    and nothing else changes.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(
            lambda images: model(images, training=training),
            input_signature=[tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)],
        )
        return lambda images: compiled(images).numpy()
    if keras.backend.backend() == "jax":
        return _jax_forward_pass(model, training)
    import torch

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(keras.ops.convert_to_numpy(model(images, training=training)))

    return run


def _jax_forward_pass(model: keras.Model, training: bool) -> Callable[[np.ndarray], np.ndarray]:
    import jax

    compiled = jax.jit(
        lambda fixed, moving, images: model.stateless_call(fixed, moving, images, training=training)
    )

    def run(images: np.ndarray) -> np.ndarray:
        moving = model.non_trainable_variables
        found, moved = compiled(
            [v.value for v in model.trainable_variables], [v.value for v in moving], images
        )
        if training:
            for variable, value in zip(moving, moved, strict=True):
                variable.assign(value)
        return np.asarray(found)

    return run


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of any backend reports too little memory."""
    if isinstance(error, MemoryError):
        return True
    text = f"{type(error).__name__} {error}".lower()
    return any(words in text for words in _OUT_OF_MEMORY)


def _gpu_has_bfloat16() -> bool:
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return bool(torch.cuda.is_bf16_supported())
    if backend == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(
            tf.config.list_physical_devices("GPU")[0]
        )
        return tuple(details.get("compute_capability", (8, 0))) >= (8, 0)
    import jax

    capability = getattr(jax.devices()[0], "compute_capability", "8.0")
    return float(capability) >= 8.0


def _accelerator_name() -> str:
    """Return the name of the first accelerator, as its maker calls it."""
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return str(torch.cuda.get_device_name(0))
    if backend == "tensorflow":
        import tensorflow as tf

        (device, *_) = tf.config.list_physical_devices("GPU") or [None]
        details = tf.config.experimental.get_device_details(device) if device else {}
        return str(details.get("device_name", accelerators()[0].split(":")[0].upper()))
    import jax

    return str(jax.devices()[0].device_kind)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""
