"""Weights on disk in half precision: half the bytes, in a file that Keras itself reads."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np

LARGEST_HALF = float(np.finfo(np.float16).max)


def halve_weights(weights_file: Path) -> None:
    """Rewrite a Keras `.weights.h5` file with its kernels as float16, in place and atomically.

    Vectors (biases and batch-norm statistics: 0.2 % of the bytes) stay in float32, since a variance
    may lie outside float16's range; so does a kernel that does. Keras casts back on loading.
    """
    temporary = weights_file.with_name(weights_file.name + ".half")
    with h5py.File(weights_file, "r") as source, h5py.File(temporary, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                copied = target.create_dataset(name, data=_halved(item[()]))
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    os.replace(temporary, weights_file)


def _halved(values: np.ndarray) -> np.ndarray:
    is_kernel = values.dtype == np.float32 and values.ndim >= 2
    if is_kernel and np.abs(values).max(initial=0) <= LARGEST_HALF:
        return values.astype(np.float16)
    return values
