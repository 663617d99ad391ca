"""Write a network for other software, and check that it gives the same labels there."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amseg_keras.engines.engine import equal_fraction
from amseg_keras.engines.formats import FORMATS, ExportError
from amseg_keras.engines.graph import Output
from amseg_keras.engines.onnx_file import Size
from amseg_keras.engines.readme import readme
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.preprocess import BackgroundPolicy, Inputs
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import description
from amseg_keras.read import open_stack
from amseg_keras.segment import Segmenter

PREPROCESSING = "preprocessing.json"
README = "README.md"

SAMPLE = "sample:esrf-lpbf"
MIN_EQUAL = 0.99


@dataclass(frozen=True)
class Exported:
    """Exported network.

    Attributes:
        file: file of the network.
        equal_labels: fraction of the pixels of a sample frame with the same label as `segment`.
    """

    file: Path
    equal_labels: float


def export_network(
    segmenter: Segmenter,
    folder: Path,
    kind: str,
    output: Output = "labels",
    size: Size = (None, None),
) -> Exported:
    """Write the rewritten network with a description of its input, and run it once.

    Args:
        folder: output folder, empty or missing before; complete or missing afterwards.
        kind: one of `FORMATS`.
        output: `"labels"` or `"probabilities"`.
        size: height and width of the frames, multiples of 16; by default any.

    Raises:
        ExportError: the folder is not empty, the format cannot be written on this backend, or
            the written network gives other labels.
        EngineMissingError: a package is not installed.
        ValueError: a side that is not a multiple of 16, or a layer that the format does not know.
    """
    for side in size:
        if side is not None and (side <= 0 or side % MULTIPLE):
            raise ValueError(f"a side of {side} pixels: it must be a multiple of {MULTIPLE}")
    written = FORMATS[kind]
    rewritten, info = segmenter.rewritten, segmenter.info
    with take_place(folder) as new:
        written.write(rewritten, output, size, new / written.file)
        equal = _equal_labels(segmenter, new / written.file, kind, size)
        if equal < MIN_EQUAL:
            raise ExportError(
                f"{kind}: only {equal:.2%} of the labels of a sample frame are those of "
                f"{segmenter.engine} here; nothing was written"
            )
        record = {**description(info), "file": written.file, "output": output, "size": size}
        (new / PREPROCESSING).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        version = importlib.metadata.version("amseg-keras")
        text = readme(info, kind, written, output, size, version)
        (new / README).write_text(text, "utf-8")
    return Exported(folder / written.file, equal)


@contextlib.contextmanager
def take_place(folder: Path) -> Iterator[Path]:
    """Yield a new folder that becomes `folder` if the block ends without an error.

    Raises:
        ExportError: The folder is there and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} is not an empty folder: give another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as scratch:
        new = Path(scratch) / "export"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rmdir()
        os.replace(new, folder)


def sized(frame: np.ndarray, size: Size) -> np.ndarray:
    """Crop or mirror a frame to a size.

    Args:
        frame: `(height, width, channels)`.
        size: Height and width wanted; None keeps a side.

    Returns:
        `(1, height, width, channels)`.
    """
    height, width = (wanted or has for wanted, has in zip(size, frame.shape[:2], strict=True))
    missing = [(0, max(height - frame.shape[0], 0)), (0, max(width - frame.shape[1], 0)), (0, 0)]
    return np.pad(frame, missing, mode="symmetric")[None, :height, :width]


def _equal_labels(segmenter: Segmenter, file: Path, kind: str, size: Size) -> float:
    frames = _sample_frame(segmenter.info, size)
    output = FORMATS[kind].load(file)(frames)
    labels = output if output.ndim == 3 else output.argmax(axis=-1)
    return equal_fraction(labels, segmenter.probabilities(frames).argmax(axis=-1))


def _sample_frame(info: PresetInfo, size: Size) -> np.ndarray:
    """Return a simulated frame of a size, `(1, height, width, channels)`."""
    with open_stack(SAMPLE) as stack:
        backgrounds = BackgroundPolicy().of_stack(stack)
        inputs = Inputs(stack, info.channels, info.scaling.measure(stack), backgrounds)
        frame = inputs.make(len(stack) // 2)
    return sized(frame, size)
