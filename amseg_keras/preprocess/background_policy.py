"""Backgrounds for the motion channel: which frames show a frame without what moves in it."""

from __future__ import annotations

import contextlib
import functools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.background import PreviousFrames, median_of, middle_of, ranked
from amseg_keras.preprocess.lazy import WindowCache, spread
from amseg_keras.preprocess.registration import COMPARED, Drift, Register, find_drift, move
from amseg_keras.read import Frames, ReadError

BACKGROUND_FRAMES = 18
"""A background is the median of this many frames, spread over what it is taken from."""

LEFT_OUT = 4
"""Frames this near to a frame, and nearer, are not in its background: they show what it shows."""

FEWEST = 5
"""A median of fewer frames shows what moved in them, so that the motion channel stays blank."""

SHORTEST = 16
"""Stacks of fewer frames have no automatic background."""


@dataclass(frozen=True)
class BackgroundPolicy:
    """Choose the frames that make the background of each frame.

    Args:
        kind: `"recording"`, the median of 18 frames spread over the recording without those within
            4 frames of the frame; `"range"`, the same of a part of the recording, as before the
            laser; `"previous"`, the median of the n frames before the m that precede the frame;
            `"so-far"`, up to 18 frames spread over those before the frame; `"none"`; `"auto"`, the
            whole recording of at least 16 frames, else none.
        numbers: n and m for `"previous"`; first and last frame, from 0, for `"range"`.
        registered: Move the frames of the background onto the frame, where the specimen drifts.
            This takes about 0.1 s a frame of 256 x 512 pixels.

    Raises:
        ValueError: There is no such kind, or the numbers do not fit it.

    Example:
        >>> stack = np.random.default_rng(0).normal(1000, 10, (60, 32, 48))
        >>> backgrounds = BackgroundPolicy().of_stack(stack)
        >>> backgrounds.kind, backgrounds.of(30).shape
        ('recording', (32, 48))
        >>> backgrounds.record()["drift_px"] is None  # noise has no texture to hold on to
        True
    """

    kind: str = "auto"
    numbers: tuple[int, ...] = ()
    registered: bool = False

    def __post_init__(self) -> None:
        wanted = {"previous": 2, "range": 2, **dict.fromkeys(_WITHOUT_NUMBERS, 0)}
        if self.kind not in wanted or len(self.numbers) != wanted[self.kind]:
            raise ValueError(f"no background is called {str(self)!r}; {_FORMS}")
        if self.kind == "previous":
            PreviousFrames(*self.numbers)  # refuses what is not possible
        if self.kind == "range" and not 0 <= self.numbers[0] <= self.numbers[1]:
            raise ValueError(f"a background of the {self!s} runs backwards; {_FORMS}")

    @classmethod
    def parse(cls, text: str) -> BackgroundPolicy:
        """Read a policy as commands spell it.

        Raises:
            ValueError: It is spelt otherwise; the message lists the forms.

        Example:
            >>> BackgroundPolicy.parse("range:0-40")
            BackgroundPolicy(kind='range', numbers=(0, 40), registered=False)
        """
        form, registered = (
            text.strip().removesuffix(_REGISTERED),
            text.strip().endswith(_REGISTERED),
        )
        match = re.fullmatch(r"(previous):(\d+)[,:](\d+)|(range):(\d+)-(\d+)|([a-z-]+)", form)
        if match is None:
            raise ValueError(f"no background is called {text!r}; {_FORMS}")
        parts = [part for part in match.groups() if part is not None]
        return cls(parts[0], tuple(map(int, parts[1:])), registered)

    def __str__(self) -> str:
        joint = "-" if self.kind == "range" else ","
        numbers = f":{joint.join(map(str, self.numbers))}" if self.numbers else ""
        return self.kind + numbers + (_REGISTERED if self.registered else "")

    def of_stack(self, frames: Frames) -> Backgrounds:
        """Give the backgrounds of a stack.

        A background depends on the stack and the number of its frame alone: not on the order in
        which backgrounds are requested, nor on where a run began.

        Args:
            frames: The stack, `(frames, height, width)`, read when needed.

        Raises:
            ValueError: The range lies outside the stack, or a side of frames to register is under
                16 pixels.
        """
        count = len(frames)
        if self.registered and not (self.kind == "auto" and count < SHORTEST):
            return _Registered(self, frames)
        if self.kind == "previous":
            return _Previous(self, frames, PreviousFrames(*self.numbers))
        if self.kind == "so-far":
            return _SoFar(self, frames)
        if self.kind == "range":
            first, last = self.numbers
            if last >= count:
                raise ValueError(
                    f"the background {self!s} ends after the last frame, {count - 1}; "
                    "frames are counted from 0"
                )
            return _LeaveOut(self, frames, [first + at for at in spread(last + 1 - first, _MOST)])
        if self.kind == "recording" or (self.kind == "auto" and count >= SHORTEST):
            return _LeaveOut(self, frames, spread(count, _MOST))
        return _NoBackground(self, frames)


class Backgrounds(ABC):
    """The backgrounds of the frames of one stack; made by `BackgroundPolicy.of_stack`.

    Attributes:
        policy: Background policy.
        kind: Kind of background that was chosen.
        frames: The stack; replace it by another view of the same stack, such as one that is read
            ahead, before frames are read in another thread.
        count: Number of frames of the stack, which decides on the backgrounds.

    Example:
        >>> stack = np.arange(40, dtype="uint16").reshape(40, 1, 1) + np.zeros((1, 2, 3), "uint16")
        >>> backgrounds = BackgroundPolicy().of_stack(stack)
        >>> backgrounds.kind, backgrounds.of(39).shape
        ('recording', (2, 3))
    """

    kind: ClassVar[str]

    def __init__(self, policy: BackgroundPolicy, frames: Frames) -> None:
        self.policy = policy
        self.frames = frames
        self.count = len(frames)

    @abstractmethod
    def of(self, index: int) -> np.ndarray | None:
        """Give the background of a frame, float32 `(height, width)`; `None` if it has none.

        The array is kept for other frames: it must not be written to. Frames that cannot be read
        are left out.
        """

    def load(self) -> None:
        """Read now what is read of the whole stack, before its frames are read one by one."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader of the labels, a sentence each."""
        note = self.drift.note if self.drift else None
        return () if note is None else (note,)

    @functools.cached_property
    def drift(self) -> Drift | None:
        """Drift of the specimen, estimated on a few frames; `None` if there are too few."""
        return find_drift(self._read_all(spread(self.count, COMPARED)))

    def record(self) -> dict[str, Any]:
        """Describe how backgrounds are made, in plain values for the record of a run."""
        chosen = self.kind if self.policy.kind == "auto" else str(self.policy)
        return {
            "background": chosen,
            "asked": str(self.policy),
            "frames": self.count,
            "drift_px": self.drift.largest_px if self.drift else None,
            "registered": False,
        }

    def _read_all(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """Read the frames that can be read, in their own dtype."""
        found = {}
        for index in indices:
            with contextlib.suppress(ReadError):
                found[index] = np.asarray(self.frames[index])
        return found


class _NoBackground(Backgrounds):
    kind = "none"

    def of(self, index: int) -> np.ndarray | None:
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        if self.policy.kind == "none":
            return ("the motion channel is blank, as was asked for",)
        return (
            f"the motion channel is blank: a stack of {_counted(self.count)} is too short for "
            f"a background, which takes {SHORTEST}",
        )


class _LeaveOut(Backgrounds):
    """The median of chosen frames without those near the frame."""

    kind = "recording"

    def __init__(self, policy: BackgroundPolicy, frames: Frames, indices: Sequence[int]) -> None:
        super().__init__(policy, frames)
        self.indices = tuple(indices)
        self._held: dict[int, np.ndarray] | None = None
        self._middle: tuple[np.ndarray, np.ndarray] | None = None
        self._medians: dict[tuple[int, ...], np.ndarray] = {}

    @property
    def held(self) -> dict[int, np.ndarray]:
        """The frames of the background that can be read, in their own dtype."""
        if self._held is None:
            self._held = self._read_all(self.indices)
        return self._held

    def load(self) -> None:
        self._held = self.held

    @functools.cached_property
    def drift(self) -> Drift | None:
        return find_drift(self.held)

    def of(self, index: int) -> np.ndarray | None:
        near = tuple(at for at in self.held if abs(at - index) <= LEFT_OUT)
        if len(self.held) - len(near) < FEWEST:
            return None
        if near not in self._medians:
            # With the background of most frames one more is kept: frames come in their order.
            self._medians = {key: kept for key, kept in self._medians.items() if not key}
            self._medians[near] = self._median_without(near)
        return self._medians[near]

    @property
    def notes(self) -> tuple[str, ...]:
        readable = len(self.held)
        if readable >= FEWEST:
            return super().notes
        return (
            f"the motion channel is blank: {readable} of {len(self.indices)} frames of the "
            "background can be read",
        )

    def record(self) -> dict[str, Any]:
        return super().record() | {
            "median_of": list(self.indices),
            "without_frames_within": LEFT_OUT,
            "unreadable": [index for index in self.indices if index not in self.held],
        }

    def _median_without(self, near: tuple[int, ...]) -> np.ndarray:
        if len(near) > 1 or len(self.held) % 2:
            return median_of([frame for at, frame in self.held.items() if at not in near])
        if self._middle is None:
            self._middle = middle_of(ranked(list(self.held.values())))
        below, above = self._middle
        if not near:
            return np.asarray((below + above) / np.float32(2))
        # Of an even number of ranked frames, one of the lower half is gone, or one of the upper.
        return np.where(np.asarray(self.held[near[0]], np.float32) <= below, above, below)


class _Previous(Backgrounds):
    kind = "previous"

    def __init__(self, policy: BackgroundPolicy, frames: Frames, step: PreviousFrames) -> None:
        super().__init__(policy, frames)
        self._step = step
        self._cache: WindowCache | None = None

    def of(self, index: int) -> np.ndarray | None:
        window = self._step.window(index, self.count)
        if not window:
            return None
        if self._cache is None or self._cache.frames is not self.frames:
            self._cache = WindowCache(self.frames, None)  # whole numbers are sorted faster
        found = [one for one in self._cache.read(window) if not isinstance(one, ReadError)]
        return median_of(found) if found else None


class _SoFar(Backgrounds):
    """The median of up to 18 frames before the frame, at a distance that doubles as they grow.

    The frames at one distance are also frames at half the distance, so each is read once.
    """

    kind = "so-far"

    def __init__(self, policy: BackgroundPolicy, frames: Frames) -> None:
        super().__init__(policy, frames)
        self._held: dict[int, np.ndarray | None] = {}
        self._last: tuple[range, np.ndarray] | None = None

    def of(self, index: int) -> np.ndarray | None:
        taken = self.window(index)
        if self._last is None or self._last[0] != taken:
            self._held = {at: frame for at, frame in self._held.items() if at in taken}
            found = [frame for at in taken if (frame := self._read(at)) is not None]
            if len(found) < FEWEST:
                return None
            self._last = taken, median_of(found)
        return self._last[1]

    @staticmethod
    def window(index: int) -> range:
        """Return the frames whose median is the background of frame `index`."""
        count, step = max(index - LEFT_OUT, 0), 1
        while len(range(0, count, step)) > _MOST:
            step *= 2
        return range(0, count, step)

    def _read(self, index: int) -> np.ndarray | None:
        if index not in self._held:
            try:
                self._held[index] = np.asarray(self.frames[index])
            except ReadError:
                self._held[index] = None
        return self._held[index]


class _Registered(Backgrounds):
    """Backgrounds of the stack at rest, each moved to where its frame is."""

    kind = "registered"

    def __init__(self, policy: BackgroundPolicy, frames: Frames) -> None:
        super().__init__(policy, frames)
        self._still = Register().apply(frames)
        self._inner = replace(policy, registered=False).of_stack(self._still)

    def of(self, index: int) -> np.ndarray | None:
        self._still.frames = self.frames
        background = self._inner.of(index)
        shift = self._still.positions(index)
        down, right = shift["shift_y_px"], shift["shift_x_px"]
        if background is None or math.isnan(down) or (down == 0 and right == 0):
            return background
        return move(background, (-down, -right))

    def load(self) -> None:
        self._inner.load()

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def record(self) -> dict[str, Any]:
        about = self._inner.record() | {"registered": True, "asked": str(self.policy)}
        return about | {"drift_px": self.drift.largest_px if self.drift else None}


def _counted(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


_MOST = BACKGROUND_FRAMES
_REGISTERED = "+register"
_WITHOUT_NUMBERS = ("auto", "recording", "so-far", "none")
_FORMS = (
    "take auto, recording, so-far, none, previous:N,M (N frames before the M that precede the "
    "frame) or range:A-B (frames A to B, counted from 0); +register "
    "behind it moves the frames onto each other first"
)
