"""Make the inputs of the network for frames of a growing stack."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from amseg_keras.preprocess import BackgroundPolicy, Backgrounds, GreyRange, Inputs
from amseg_keras.preprocess.registration import Drift
from amseg_keras.read import Frames
from amseg_keras.runs.watch.arriving import Arrival, HeldFrames
from amseg_keras.segment import Segmenter

REMEMBERED = 64
"""Number of frames kept in memory for the background."""


class LiveInputs:
    """Inputs of the frames of a growing stack, compared with the frames before them.

    Args:
        scale: Factor by which frames are enlarged.
        whole: Function that opens all frames that are done.
    """

    def __init__(
        self, segmenter: Segmenter, grey_range: GreyRange, scale: float, whole: Callable[[], Frames]
    ) -> None:
        self._segmenter, self._grey_range, self._scale = segmenter, grey_range, scale
        self._taken = _TakenFrames(whole)
        self._backgrounds = BackgroundPolicy("so-far").of_stack(self._taken)

    def of(self, arrivals: Sequence[Arrival], frame_shape: tuple[int, int]) -> Inputs:
        """Make the inputs of arrived frames."""
        held = HeldFrames([arrival.pixels for arrival in arrivals], frame_shape)
        channels = self._segmenter.channels
        if not channels.has_motion:
            return Inputs(held, channels, self._grey_range, scale=self._scale)
        for arrival in arrivals:
            if isinstance(arrival.pixels, np.ndarray):
                self._taken.remember(arrival.frame, arrival.pixels)
        numbers = [arrival.frame for arrival in arrivals]
        backgrounds = _OfArrivals(self._backgrounds, held, numbers)
        return Inputs(held, channels, self._grey_range, backgrounds, self._scale)

    def record(self) -> dict[str, Any]:
        """Describe channels, background and scale for the record."""
        channels = self._segmenter.channels
        about: dict[str, Any] = {"channels": list(channels.names), "scale": self._scale}
        return about | ({"background": "so-far"} if channels.has_motion else {})


class _TakenFrames:
    """The arrived frames of a stack: the last ones in memory, the others in their files."""

    shape: tuple[int, ...] = (0, 0, 0)

    def __init__(self, whole: Callable[[], Frames]) -> None:
        self._whole = whole
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int, /) -> np.ndarray:
        kept = self._kept.get(index)
        return self._whole()[index] if kept is None else kept

    def remember(self, index: int, frame: np.ndarray) -> None:
        self._kept[index] = frame
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


class _OfArrivals(Backgrounds):
    """Backgrounds of a few frames, by their places among these frames."""

    kind = "so-far"
    drift: Drift | None = None

    def __init__(self, whole: Backgrounds, held: HeldFrames, numbers: Sequence[int]) -> None:
        super().__init__(whole.policy, held)
        self._whole_stack, self._numbers = whole, numbers

    def of(self, index: int) -> np.ndarray | None:
        return self._whole_stack.of(self._numbers[index])
