"""Flat-field and dark correction: what the beam and the detector drew is divided out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, readable
from amseg_keras.read import Frames

MAX_MEDIAN_BYTES = 1 << 28
"""Memory for a median over a stack: 256 MiB are 300 flats of 1024 x 400 pixels in 16 bit."""


def median_frame(frames: Frames, indices: list[int] | None = None) -> np.ndarray:
    """Median over frames, pixel by pixel: one flat from 100 to 200 of them, or one dark.

    Of a stack that is larger than 256 MiB, bands of rows are read one after the other.

    Args:
        frames: stack `(frames, height, width)`, any real dtype. Frames that cannot be read are
            left out.
        indices: which frames; by default all.

    Returns:
        float32 `(height, width)`, in the grey levels of the frames.

    Raises:
        ReadError: none of them can be read.
        ValueError: there are none.

    Example:
        >>> median_frame(np.array([[[1, 5]], [[2, 6]], [[9, 7]]], "uint16"))
        array([[2., 6.]], dtype=float32)
    """
    indices = list(range(len(frames))) if indices is None else indices
    if not indices:
        raise ValueError("a median needs at least one frame")
    height, width = frames.shape[1:]
    itemsize = np.asarray(next(iter(readable(frames, indices)))[1]).dtype.itemsize
    rows = max(MAX_MEDIAN_BYTES // (len(indices) * width * itemsize), 1)
    bands = []
    for top in range(0, height, rows):
        band = [np.array(frame[top : top + rows]) for _, frame in readable(frames, indices)]
        bands.append(np.median(np.stack(band), axis=0).astype(np.float32))
    return np.concatenate(bands)


def transmission(frame: np.ndarray, flat: np.ndarray, dark: np.ndarray | float = 0.0) -> np.ndarray:
    """Transmission of the sample: `(frame - dark) / max(flat - dark, 1)`.

    Where the flat is dead, at or below the dark, its level counts as 1, so that nothing becomes
    infinite. As in section 2.2 of the paper and at the ESRF beamtimes it follows.

    Args:
        frame: `(height, width)`, counts.
        flat: beam without a sample, counts, same shape: the median of many (`median_frame`).
        dark: detector without a beam, counts, same shape or one level.

    Returns:
        float32 of the frame's shape; about 1 where nothing absorbs.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> transmission(np.array([[60, 110]], "uint16"), np.array([[110.0, 0.0]]), dark=10)
        array([[  0.5, 100. ]], dtype=float32)
    """
    for name, other in (("flat", flat), ("dark", dark)):
        if np.ndim(other) and np.shape(other) != frame.shape:
            raise ValueError(_size_difference(name, np.shape(other), frame.shape))
    dark = np.asarray(dark, np.float32)
    beam = np.maximum(np.asarray(flat, np.float32) - dark, np.float32(1))
    return (np.asarray(frame, np.float32) - dark) / beam


@dataclass(frozen=True, eq=False)
class FlatField:
    """The step `flat-field`: divide every frame by the same flat.

    Args:
        flat: beam without a sample, counts, `(height, width)`.
        dark: detector without a beam, counts, same shape; None for 0.
        flat_from: where the flat comes from, for the record.
        dark_from: where the dark comes from.

    Raises:
        ValueError: dark and flat differ in size, or the flat holds no counts above the dark.

    Example:
        >>> flats, darks = np.full((50, 4, 6), 1100, "uint16"), np.full((20, 4, 6), 100, "uint16")
        >>> step = FlatField(median_frame(flats), median_frame(darks), "flats.h5", "darks.h5")
        >>> step.apply(np.full((8, 4, 6), 600, "uint16"))[0][0]
        array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], dtype=float32)
        >>> step.parameters()["median_beam"], step.parameters()["dead_pixels"]
        (1000.0, 0)
    """

    name: ClassVar[str] = "flat-field"
    flat: np.ndarray
    dark: np.ndarray | None = None
    flat_from: str = ""
    dark_from: str = ""

    def __post_init__(self) -> None:
        if self.dark is not None and self.dark.shape != self.flat.shape:
            raise ValueError(_size_difference("dark", self.dark.shape, self.flat.shape, "flat"))
        beam = self.flat - (0.0 if self.dark is None else self.dark)
        # Flats that were divided already, or stored as 0..1, would all count as 1 below.
        if np.median(beam) <= 1:
            raise ValueError(
                f"the flat is no brighter than the dark (median {np.median(beam):.3g} counts "
                "above it); give flats as the detector counted them, taken with the beam on"
            )

    def parameters(self) -> dict[str, Any]:
        """What the record of a run says about this step."""
        beam = self.flat - (0.0 if self.dark is None else self.dark)
        return {
            "flats": self.flat_from,
            "dark": self.dark_from,
            "digest": _digest(self.flat, self.dark),
            "median_beam": round(float(np.median(beam)), 3),
            "dead_pixels": int(np.count_nonzero(beam < 1)),
        }

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack in transmission.

        Raises:
            ValueError: the flat is of another size than the frames.
        """
        if frames.shape[1:] != self.flat.shape:
            raise ValueError(_size_difference("flat", self.flat.shape, frames.shape[1:]))
        dark = 0.0 if self.dark is None else self.dark
        return EachFrame(frames, lambda frame: transmission(frame, self.flat, dark))


def _digest(*frames: np.ndarray | None) -> str:
    """A digest of the frames, by which a run knows them wherever their files lie."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(b"none" if frame is None else np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()


def _size_difference(
    name: str, size: tuple[int, ...], expected: tuple[int, ...], of: str = "frames"
) -> str:
    found, needed = (" x ".join(map(str, each)) for each in (size, expected))
    return (
        f"the {name} is {found}, but the {of} {'is' if of == 'flat' else 'are'} {needed} "
        f"(height x width); give a {name} of the same detector region"
    )
