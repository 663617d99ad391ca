"""Label batches of frames, and hold the labels of a stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning
from amseg_keras.backend import accelerators
from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import GreyRange, Inputs
from amseg_keras.preprocess.inputs import labels_of_shape
from amseg_keras.read import ReadError


@dataclass(frozen=True)
class LabelledFrame:
    """One frame of a stack after the network.

    Args:
        index: number of the frame in its stack, from 0.
        labels: class ids, uint8 `(height, width)`; all 255 where the frame is unreadable.
        confidence: probability of the chosen class, float32 `(height, width)`, if requested.
        error: why the frame could not be read, `None` where it could.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.read import open_stack
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     frame = next(segmenter.iter_labels(stack, segmenter.scaling.measure(stack)))
        >>> frame.index, frame.labels.shape, frame.error
        (0, (256, 512), None)
    """

    index: int
    labels: np.ndarray
    confidence: np.ndarray | None = None
    error: str | None = None


@dataclass(frozen=True)
class Segmentation:
    """The label maps of a stack.

    Args:
        labels: class ids, uint8 `(frames, height, width)`; `labels == class_names.index("pore")`
            is the mask of the pores. 255 where a frame could not be read.
        class_names: name of each class id.
        grey_range: grey levels that were scaled to the ends of the network's input.
        confidence: probability of the chosen class, float32 `(frames, height, width)`, if asked.
        errors: index and reason for each unreadable frame.
        notes: what the network's input lacked, and whether the recording could not be checked, a
            sentence each.
        warnings: why the recording does not look like what the preset knows; see
            `amseg_keras.applicability`. Empty for a familiar one, and if nobody calibrated the
            preset, which `notes` says.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> result = segmenter.segment("sample:esrf-welding", confidence=True)
        >>> result.labels.shape, result.confidence.dtype, result.errors
        ((12, 256, 512), dtype('float32'), ())
        >>> keyhole_px = result.mask("keyhole").sum(axis=(1, 2))  # of each frame
        >>> bool((keyhole_px > 500).all())
        True
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    grey_range: GreyRange
    confidence: np.ndarray | None = None
    errors: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[ApplicabilityWarning, ...] = ()

    def mask(self, class_name: str) -> np.ndarray:
        """Return the mask of a class, bool `(frames, height, width)`.

        Args:
            class_name: one of `class_names`.

        Raises:
            ValueError: there is no class of this name.
        """
        if class_name not in self.class_names:
            raise ValueError(f"no class {class_name!r} among {', '.join(self.class_names)}")
        return np.asarray(self.labels == self.class_names.index(class_name))


MAX_BATCH, MAX_BATCH_PIXELS = 4, 1 << 20
"""Largest batch in frames and in pixels, on a CPU."""

GPU_BATCHES = 4
"""Factor by which batches may be larger on a GPU."""

Read = tuple[np.ndarray, np.ndarray | None]
"""A frame as recorded, and its background."""

_COMPARED_FIRST = 32
"""Every row of this number is compared before all rows are."""

Labelled = tuple[np.ndarray, np.ndarray | None]
"""Labels `(height, width)`, and their confidence if requested."""


def default_batch_size(frame_shape: tuple[int, ...]) -> int:
    """Choose a batch size: up to 4 frames that hold a megapixel, on a GPU 4 times that."""
    times = GPU_BATCHES if accelerators() else 1
    pixels = times * MAX_BATCH_PIXELS
    return max(1, min(times * MAX_BATCH, pixels // math.prod(frame_shape)))


def checked_frames(frames: Any) -> np.ndarray:
    """Return frames as `(frames, height, width)`; a `ValueError` says what is wrong."""
    array = np.asarray(frames)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"frames of shape {np.shape(frames)}: want (height, width) or (frames, height, width), "
            "grey, not empty"
        )
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"frames of dtype {array.dtype}: want real numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).all(axis=(1, 2))))
        raise ValueError(
            f"frame {bad} holds NaN or infinite values; replace them "
            "(for example by the median of their neighbours)"
        )
    return array


def label_batch(
    inputs: Inputs,
    indices: range,
    label: Callable[[np.ndarray], list[Labelled]],
    known: tuple[Read, LabelledFrame] | None = None,
) -> Iterator[tuple[Read | None, LabelledFrame]]:
    """Label a few frames of a stack; equal neighbours are computed once.

    Videos show the same frame many times. Frames are equal if their backgrounds are too.

    Args:
        label: The network, from `(batch, height, width, channels)` to labels of each.
        known: The last frame of the batch before, with its labels; `None` to compute all.

    Yields:
        Each frame as it was read, `None` if it cannot be read, and its labels.
    """
    new: list[Read] = []
    places: list[int | str] = []  # of each frame among the new ones, -1 if known, or the error
    for index in indices:
        try:
            read = inputs.read(index)
        except ReadError as error:
            places.append(str(error))
            continue
        before = new[-1] if new else known and known[0]
        if before is None or not _same(read, before):
            new.append(read)
        places.append(len(new) - 1)
    found = label(_made(inputs, new)) if new else []
    own = inputs.frames.shape[1:]
    for index, place in zip(indices, places, strict=True):
        if isinstance(place, str):
            yield None, LabelledFrame(index, np.full(own, IGNORE, np.uint8), error=place)
        elif place < 0:
            assert known is not None
            yield known[0], replace(known[1], index=index)
        else:
            labels, sure = found[place]
            if labels.shape != own:
                labels = labels_of_shape(labels, own)
                sure = None if sure is None else labels_of_shape(sure, own)
            yield new[place], LabelledFrame(index, labels, sure)


def _made(inputs: Inputs, frames: Sequence[Read]) -> np.ndarray:
    """Make the inputs of some frames as one batch."""
    batch = np.empty((len(frames), *inputs.frame_shape, len(inputs.channels)), np.float32)
    for made, (frame, background) in zip(batch, frames, strict=True):
        inputs.make_of(frame, background, made)
    return batch


def _same(read: Read, before: Read) -> bool:
    if read[1] is not before[1]:
        return False
    # A few rows tell most frames apart, in a fraction of the time.
    few = slice(None, None, _COMPARED_FIRST)
    return np.array_equal(read[0][few], before[0][few]) and np.array_equal(read[0], before[0])
