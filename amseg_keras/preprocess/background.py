"""Background division: what does not move between frames is divided out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.flat_field import median_frame
from amseg_keras.preprocess.lazy import EachFrame, LazyFrames, WindowCache
from amseg_keras.read import Frames, ReadError


def divide(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The frame relative to its background: 1 where nothing changed, above 1 where it brightened.

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
    return np.divide(frame, background, out=np.ones_like(frame), where=background > 0)


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
        """What the record of a run says about this step."""
        return {"median_of": "previous", **asdict(self)}

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack relative to its background.

        Raises:
            ValueError: the stack has fewer than `2 * skip + 2` frames.
        """
        return _DividedByPrevious(frames, self)

    def window(self, index: int, count: int) -> range:
        """The frames whose median is the background of frame `index` of a stack of `count`.

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
        n: frames in the median; those of them that cannot be read are left out.

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
        """What the record of a run says about this step."""
        return {"median_of": "first", **asdict(self)}

    def apply(self, frames: Frames) -> LazyFrames:
        """The stack relative to its background; of a shorter stack all frames are taken.

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
