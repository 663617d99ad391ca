"""The percentile stretch as a step: grey levels of the whole stack to 0..1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from amseg_keras.preprocess.grey import GreyScaling
from amseg_keras.preprocess.lazy import EachFrame, LazyFrames
from amseg_keras.read import Frames


@dataclass(frozen=True)
class Stretch:
    """The step `stretch`: between two percentiles of the stack, the same for every frame.

    The lower percentile becomes 0 and the upper 1, what lies outside is clipped; measured as by
    `GreyScaling`, on 64 frames spread over the stack (section 2.2 of the paper; the ESRF
    beamtimes took 0.1 and 99.9).

    Args:
        low_percent: percentile that becomes 0.
        high_percent: percentile that becomes 1.

    Raises:
        ValueError: the percentiles are not rising, or not between 0 and 100.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(101, dtype="uint16").reshape(1, 1, 101)
        >>> Stretch(10, 90).apply(ramp)[0][0, [0, 10, 50, 90, 100]]
        array([0. , 0. , 0.5, 1. , 1. ], dtype=float32)
    """

    name: ClassVar[str] = "stretch"
    low_percent: float = 0.1
    high_percent: float = 99.9

    def __post_init__(self) -> None:
        GreyScaling("percentile", self.low_percent, self.high_percent)  # refuses what is wrong

    def parameters(self) -> dict[str, Any]:
        """What the record of a run says about this step."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """The stretched stack.

        Raises:
            ReadError: none of the frames can be read.
        """
        grey = GreyScaling("percentile", self.low_percent, self.high_percent).measure(frames)
        stretched = EachFrame(frames, grey.apply)
        stretched.measured = {"low": grey.low, "high": grey.high}
        return stretched
