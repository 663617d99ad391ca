"""The input of a network, frame by frame: grey levels, channels, background and scale together."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from amseg_keras.preprocess.background_policy import Backgrounds
from amseg_keras.preprocess.channels import Channels
from amseg_keras.preprocess.grey import GreyRange
from amseg_keras.preprocess.rescale import rescale, scaled_shape
from amseg_keras.read import Frames


class Inputs:
    """What a network is given of the frames of one stack.

    Args:
        frames: The stack, `(frames, height, width)`.
        channels: The channels that the network takes.
        grey_range: Grey levels of the stack, from `GreyScaling.measure`.
        backgrounds: Backgrounds of the frames; `None` leaves the motion channel blank.
        scale: Factor by which frames and backgrounds are enlarged first.

    Attributes:
        frames: The stack.
        scale: The factor.
        frame_shape: Height and width of the network's input, in pixels.

    Example:
        >>> from amseg_keras.preprocess import BackgroundPolicy, GreyScaling
        >>> stack = np.random.default_rng(0).normal(1000, 10, (40, 32, 48))
        >>> inputs = Inputs(
        ...     stack,
        ...     Channels(("frame", "motion")),
        ...     GreyScaling().measure(stack),
        ...     BackgroundPolicy().of_stack(stack),
        ... )
        >>> inputs.make(7).shape
        (32, 48, 2)
        >>> inputs.record()["background"]
        'recording'
    """

    def __init__(
        self,
        frames: Frames,
        channels: Channels,
        grey_range: GreyRange,
        backgrounds: Backgrounds | None = None,
        scale: float = 1.0,
    ) -> None:
        self.frames = frames
        self.channels = channels
        self.grey_range = grey_range
        self.backgrounds = backgrounds if channels.has_motion else None
        self.scale = scale
        own = frames.shape[1:]
        self.frame_shape = (own[0], own[1]) if scale == 1 else scaled_shape(own, scale)
        self._rescaled: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the labels must know of the input, a sentence each."""
        if not self.channels.has_motion:
            return ()
        if self.backgrounds is None:
            return ("the motion channel is blank: there is no background",)
        return self.backgrounds.notes

    def record(self) -> dict[str, Any]:
        """Describe channels, background and scale in plain values, for the record of a run."""
        made: dict[str, Any] = {"channels": list(self.channels.names), "scale": self.scale}
        return made | ({} if self.backgrounds is None else self.backgrounds.record())

    def settings(self) -> dict[str, Any]:
        """List what of the input changes the labels, in plain values: background and scale."""
        chosen = None if self.backgrounds is None else str(self.backgrounds.policy)
        return {"background": chosen, "scale": self.scale}

    def load(self) -> None:
        """Read now what is read of the whole stack, before its frames are read one by one."""
        if self.backgrounds is not None:
            self.backgrounds.load()

    def reading(self, frames: Frames) -> Inputs:
        """Give the same inputs, of frames that are read through another view of the stack.

        Args:
            frames: The same stack read ahead, for example, or its first frames.
        """
        same = copy.copy(self)
        same.frames = frames
        if same.backgrounds is not None:
            same.backgrounds.frames = frames
        return same

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a frame and its background, as recorded.

        Raises:
            ReadError: The frame cannot be read.
        """
        frame = self.frames[index]
        return frame, None if self.backgrounds is None else self.backgrounds.of(index)

    def make_of(self, frame: np.ndarray, background: np.ndarray | None) -> np.ndarray:
        """Make the input of a frame that was read: float32 `(height, width, channels)`.

        Args:
            frame: Grey levels as recorded, `(height, width)`.
            background: Its background, same shape; `None` if it has none.
        """
        if self.scale != 1:
            frame = rescale(frame, self.frame_shape)
            background = None if background is None else self._rescale_background(background)
        return self.channels.make(frame, self.grey_range, background)

    def make(self, index: int) -> np.ndarray:
        """Make the input of a frame: float32 `(height, width, channels)`.

        Raises:
            ReadError: The frame cannot be read.
        """
        return self.make_of(*self.read(index))

    def _rescale_background(self, background: np.ndarray) -> np.ndarray:
        # Most frames have the background of the frame before.
        if self._rescaled is None or self._rescaled[0] is not background:
            self._rescaled = background, rescale(background, self.frame_shape)
        return self._rescaled[1]
