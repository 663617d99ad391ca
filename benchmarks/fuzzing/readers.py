"""Read a file as a command of the package would; anything but the package's own error escapes."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from amseg_keras.datasets import open_dataset
from amseg_keras.datasets.masks import open_masks
from amseg_keras.datasets.masks.base import ClassIds
from amseg_keras.read import ReadError, ReadOptions, find_stacks
from fuzzing.seeds import PALETTE, SIZE

_NAMES = ("background", "keyhole", "pore")


def consume(reader: str, path: Path) -> str:
    """Read a file with one reader: ``"read"`` or ``"clean error"``.

    Args:
        reader: One of `READERS`.
        path: The file or folder.
    """
    return READERS[reader](path)


def _frames(path: Path) -> str:
    outcome = "read"
    stacks, errors = find_stacks([path], ReadOptions(join=path.is_dir()))
    if errors:
        outcome = "clean error"
    for source in stacks:
        try:
            with source.open() as stack:
                _ = stack.notes
                for index in sorted({0, 1, len(stack) // 2, len(stack) - 1}):
                    if index < len(stack):
                        try:
                            frame = stack[index]
                        except ReadError:
                            outcome = "clean error"
                        else:
                            assert frame.shape == stack.shape[1:]
                            assert frame.dtype == stack.dtype
        except ReadError:
            outcome = "clean error"
    return outcome


def _masks(kind: str) -> Callable[[Path], str]:
    def read(path: Path) -> str:
        # Masks of 0 and 255 are of two classes.
        named = _NAMES[::2] if path.stem == "binary" else _NAMES
        names = named if kind == "label-image" else None
        try:
            masks = open_masks(path, kind, names, PALETTE if kind == "colours" else None)
            known = tuple(dict.fromkeys((*_NAMES, *masks.class_names)))
            for index in range(min(len(masks.pages), 4)):
                labels = masks.draw(index, SIZE, ClassIds.of(known))
                assert labels.shape == SIZE
                assert labels.dtype == np.uint8
            masks.notes()
        except ReadError:
            return "clean error"
        return "read"

    return read


def _dataset(path: Path) -> str:
    from amseg_keras.datasets.validate import validate

    try:
        validate(open_dataset(path))
    except ReadError:
        return "clean error"
    return "read"


def _legacy(path: Path) -> str:
    from amseg_keras.pretrained.authors import ConversionError, read_legacy_layers

    try:
        read_legacy_layers(path)
    except ConversionError:
        return "clean error"
    return "read"


def _preset(path: Path) -> str:
    from amseg_keras.pretrained.preset import (
        PREPROCESSING,
        WEIGHTS_SHA256,
        PresetError,
        read_info,
        read_model,
        weights_digest,
    )

    # Weights are compared by a checksum that whoever made the preset wrote: it is made anew.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "preset"
        shutil.copytree(path, folder)
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            record = json.loads((folder / PREPROCESSING).read_bytes())
            record[WEIGHTS_SHA256] = weights_digest(folder)
            (folder / PREPROCESSING).write_text(json.dumps(record))
        try:
            read_model(folder, read_info(folder))
        except PresetError:
            return "clean error"
    return "read"


READERS: dict[str, Callable[[Path], str]] = {
    **dict.fromkeys(
        ("tiff", "numpy", "hdf5", "edf", "zarr", "picture", "video", "folder"), _frames
    ),
    **{kind: _masks(kind) for kind in ("label-image", "colours", "coco", "labelme")},
    "dataset": _dataset,
    "legacy weights": _legacy,
    "preset": _preset,
}
"""How each kind of file is read, by the name of the reader."""
