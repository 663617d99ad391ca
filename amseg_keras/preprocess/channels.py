"""Input channels: what a network is given of a frame and of the frames around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.preprocess.grey import GreyRange
from amseg_keras.preprocess.moving import motion

HOW = {
    "frame": "grey_levels",
    "motion": "log_ratio_to_background_10_sigma",
}
"""Name of each channel, and how it is made, as `preprocessing.json` says it."""


@dataclass(frozen=True)
class Channels:
    """Make the input of a network from a frame and its background.

    `"frame"` holds the scaled grey levels. `"motion"` holds the change against the background (see
    `motion`): 0 at a loss of ten standard deviations of the noise, the middle of the input where
    nothing moved, the upper end at a gain of ten. Without a background it holds the middle
    everywhere.

    Args:
        names: Names of the channels in their order, `"frame"` first.

    Raises:
        ValueError: A name is unknown or repeats, or the first is not `"frame"`.

    Example:
        >>> frame = np.full((32, 48), 200, "uint16")
        >>> grey_range = GreyRange(100, 300, 1.0)
        >>> Channels().make(frame, grey_range).shape
        (32, 48, 1)
        >>> both = Channels(("frame", "motion"))
        >>> both.make(frame, grey_range, background=frame)[0, 0]
        array([0.5, 0.5], dtype=float32)
    """

    names: tuple[str, ...] = ("frame",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        unknown = [name for name in self.names if name not in HOW]
        if unknown:
            raise ValueError(
                f"no input channel is called {unknown[0]!r}; there are {', '.join(HOW)}"
            )
        if self.names[:1] != ("frame",) or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"input channels {', '.join(self.names) or 'none'}: the first must be frame, and "
                "each may be there once"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        return " + ".join(self.names)

    @property
    def has_motion(self) -> bool:
        """Whether the network is given a background to compare with."""
        return "motion" in self.names

    def make(
        self, frame: np.ndarray, grey_range: GreyRange, background: np.ndarray | None = None
    ) -> np.ndarray:
        """Make the channels of one frame.

        Args:
            frame: Grey levels as recorded, `(height, width)`, any real dtype.
            grey_range: Grey levels of the stack, from `GreyScaling.measure`.
            background: Grey levels without what moves, same shape; `None` for a blank motion.

        Returns:
            float32 `(height, width, channels)`, each channel from 0 to `grey_range.top`.

        Raises:
            ValueError: The background has another shape than the frame.
        """
        made = np.empty((*frame.shape, len(self.names)), np.float32)
        made[..., 0] = grey_range.apply(frame)
        if self.has_motion:
            place = self.names.index("motion")
            half = np.float32(grey_range.top / 2)
            made[..., place] = half * motion(frame, background) + half
        return made

    def description(self) -> list[dict[str, str]]:
        """Describe each channel in plain values, as `preprocessing.json` holds them.

        Example:
            >>> Channels(("frame",)).description()
            [{'name': 'frame', 'made': 'grey_levels'}]
        """
        return [{"name": name, "made": HOW[name]} for name in self.names]

    @classmethod
    def from_description(cls, described: Sequence[Any]) -> Channels:
        """Read what `description` gives.

        Raises:
            ValueError: It describes a channel that this version cannot make.
        """
        if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
            raise ValueError("channels is no list of objects")
        channels = cls(tuple(str(one.get("name")) for one in described))
        for one in described:
            if one.get("made") != HOW[str(one["name"])]:
                raise ValueError(
                    f"the channel {one['name']} is made by {str(one.get('made'))[:60]!r}, which "
                    "this version of amseg-keras does not know; update it"
                )
        return channels
