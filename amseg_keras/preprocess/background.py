"""Divide out what stands still: beam and detector by a flat field, the scene by its median."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, WindowCache, readable
from amseg_keras.read import Frames, ReadError

MAX_MEDIAN_BYTES = 1 << 28
"""Memory for a median over a stack: 256 MiB are 300 flats of 1024 x 400 pixels in 16 bit."""


def median_frame(frames: Frames, indices: list[int] | None = None) -> np.ndarray:
    """Take the median over frames, pixel by pixel: a flat field of 100 to 200, or a dark field.

    If the stack is larger than 256 MiB, its rows are read in bands, one band after the other.

    Args:
        frames: stack `(frames, height, width)`, any real dtype. Frames that cannot be read are
            left out.
        indices: numbers of the frames; by default all.

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
    """Compute the transmission of the sample: `(frame - dark) / max(flat - dark, 1)`.

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
    return np.asarray((np.asarray(frame, np.float32) - dark) / beam)


@dataclass(frozen=True, eq=False)
class FlatField:
    """The step `flat-field`: divide every frame by the same flat.

    Args:
        flat: beam without a sample, counts, `(height, width)`.
        dark: detector without a beam, counts, same shape; None for 0.
        flat_from: origin of the flat field, for the record.
        dark_from: origin of the dark field, for the record.

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
        """Return the settings of this step, for the record of a run."""
        beam = self.flat - (0.0 if self.dark is None else self.dark)
        return {
            "flats": self.flat_from,
            "dark": self.dark_from,
            "digest": _digest(self.flat, self.dark),
            "median_beam": round(float(np.median(beam)), 3),
            "dead_pixels": int(np.count_nonzero(beam < 1)),
        }

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stack in transmission.

        Raises:
            ValueError: the flat is of another size than the frames.
        """
        if frames.shape[1:] != self.flat.shape:
            raise ValueError(_size_difference("flat", self.flat.shape, frames.shape[1:]))
        dark = 0.0 if self.dark is None else self.dark
        return EachFrame(frames, lambda frame: transmission(frame, self.flat, dark))


def _digest(*frames: np.ndarray | None) -> str:
    """Compute a digest of the frames, which does not depend on the place of their files."""
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


def divide(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Divide a frame by its background: 1 where nothing changed, above 1 where it is brighter.

    Where the background is 0 or below, nothing is known, and the result is 1.

    Args:
        frame: `(height, width)`.
        background: same shape.

    Returns:
        float32 of that shape.

    Example:
        >>> divide(np.array([[6.0, 5.0]]), np.array([[4.0, 0.0]]))
        array([[1.5, 1. ]], dtype=float32)
    """
    frame, background = np.asarray(frame, np.float32), np.asarray(background, np.float32)
    return np.asarray(np.divide(frame, background, out=np.ones_like(frame), where=background > 0))


@dataclass(frozen=True)
class PreviousFrames:
    """The step `background` that follows the sample: the median of frames shortly before.

    Frame `k` is divided by the median of frames `k - skip - n` to `k - skip - 1` (section 2.2 of
    the paper; the ESRF beamtimes took n=5, skip=5 at 40 kHz and n=10, skip=37 at 504 kHz). The
    first `n + skip` frames have too few before them: they take the `n` frames after skipping
    `skip`, in a stack too short for that as many as there are on the longer side. Frames that
    cannot be read are left out of the median.

    What moves slowly leaves a dark ghost behind it, `skip + n / 2` frames back, if it stays on a
    pixel for more than half of the n frames.

    Args:
        n: frames in the median.
        skip: frames between them and the frame itself.

    Example:
        >>> lit = np.full((30, 4, 6), 100, "uint16")
        >>> lit[15, 2, 3] = 120
        >>> PreviousFrames(5, 5).apply(lit)[15][2]
        array([1. , 1. , 1. , 1.2, 1. , 1. ], dtype=float32)
    """

    name: ClassVar[str] = "background"
    n: int = 5
    skip: int = 5

    def __post_init__(self) -> None:
        if self.n < 1 or self.skip < 0:
            raise ValueError(
                f"a background of {self.n} frames skipping {self.skip} is not possible; "
                "take 1 frame or more and skip 0 or more"
            )

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return {"median_of": "previous", **asdict(self)}

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stack relative to its background.

        Raises:
            ValueError: the stack has fewer than `2 * skip + 2` frames.
        """
        return _DividedByPrevious(frames, self)

    def window(self, index: int, count: int) -> range:
        """Return the frames whose median is the background of frame `index` of `count`.

        Example:
            >>> PreviousFrames(5, 5).window(20, 25), PreviousFrames(5, 5).window(2, 25)
            (range(10, 15), range(8, 13))
        """
        before = range(max(index - self.skip - self.n, 0), max(index - self.skip, 0))
        if len(before) == self.n:
            return before
        first = min(index + self.skip + 1, count)
        after = range(first, min(first + self.n, count))
        return after if len(after) >= len(before) else before


class _DividedByPrevious(LazyFrames):
    def __init__(self, frames: Frames, step: PreviousFrames) -> None:
        super().__init__(frames)
        if len(frames) < 2 * step.skip + 2:
            raise ValueError(
                f"{len(frames)} frames are too few for a background that skips {step.skip}; it "
                f"needs {2 * step.skip + 2}: skip fewer, or take the first frames or none"
            )
        self.step = step
        self._cache = WindowCache(frames)

    def compute(self, index: int) -> np.ndarray:
        frame, *window = self._cache.read([index, *self.step.window(index, len(self))])
        if isinstance(frame, ReadError):
            raise frame
        background = [each for each in window if not isinstance(each, ReadError)]
        if not background:
            raise ReadError(
                f"frame {index}: none of the {len(window)} frames of its background can be read; "
                "take more frames for the background, or repair them"
            )
        return divide(frame, median_of(background))


@dataclass(frozen=True)
class FirstFrames:
    """The step `background` that stays: the median of the first frames, before the laser comes.

    Args:
        n: Number of frames in the median; frames that cannot be read are left out.

    Raises:
        ValueError: `n` is below 1.

    Example:
        >>> lit = np.full((30, 4, 6), 100, "uint16")
        >>> lit[20:, 2, 3] = 120
        >>> FirstFrames(20).apply(lit)[25][2]
        array([1. , 1. , 1. , 1.2, 1. , 1. ], dtype=float32)
    """

    name: ClassVar[str] = "background"
    n: int = 20

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a background of {self.n} frames is not possible; take 1 or more")

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return {"median_of": "first", **asdict(self)}

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stack relative to its background. A shorter stack gives all its frames.

        Raises:
            ReadError: none of the first `n` frames can be read.
        """
        background = median_frame(frames, list(range(min(self.n, len(frames)))))
        return EachFrame(frames, lambda frame: divide(frame, background))


def median_of(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the median over a few frames, pixel by pixel, float32.

    Example:
        >>> median_of([np.array([[1, 9]]), np.array([[2, 8]]), np.array([[9, 1]])])
        array([[2., 8.]], dtype=float32)
    """
    below, above = middle_of(ranked(frames))
    return below if below is above else (below + above) / np.float32(2)


def ranked(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Sort a few frames pixel by pixel: the first holds the smallest grey levels.

    Odd-even transposition: n rounds of minimum and maximum of neighbours. For 5 to 10 frames ten
    times as fast as `np.median` along the first axis, which decides how long this step takes.
    """
    ordered = [np.array(frame) for frame in frames]
    count, spare = len(ordered), np.empty_like(ordered[0])
    for turn in range(count):
        for low in range(turn % 2, count - 1, 2):
            np.minimum(ordered[low], ordered[low + 1], out=spare)
            np.maximum(ordered[low], ordered[low + 1], out=ordered[low + 1])
            ordered[low], spare = spare, ordered[low]
    return ordered


def middle_of(ordered: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Give the two frames in the middle of ranked ones, float32; one twice of an odd number."""
    upper = np.asarray(ordered[len(ordered) // 2], np.float32)
    if len(ordered) % 2:
        return upper, upper
    return np.asarray(ordered[len(ordered) // 2 - 1], np.float32), upper
