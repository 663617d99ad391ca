"""What every simulated experiment is, whatever stands in its beam."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from amseg_keras.simulate.physics.detector import Detector


@dataclass(frozen=True)
class View:
    """What a camera looks at.

    Attributes:
        shape: Height and width in pixels.
        pixel_um: Size of a pixel.
        frame_rate_hz: Frames per second.
    """

    shape: tuple[int, int]
    pixel_um: float
    frame_rate_hz: float


class Shot(Protocol):
    """One experiment: all of it is drawn, any of its frames can be rendered.

    Attributes:
        parameters: Process, material, laser power (W), speed (mm/s) and what else was drawn;
            numbers, texts and booleans, as they go into `dataset.json`.
        frames: Its length: until the laser has left the view, or the slices of a volume.
        detector: Beam and camera.
    """

    @property
    def parameters(self) -> dict[str, Any]: ...

    @property
    def frames(self) -> int: ...

    @property
    def detector(self) -> Detector: ...

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Intensity without noise, float32 as a fraction of the open beam, and class ids, uint8.

        Both `(height, width)`. The same frame is rendered the same each time; frames past the
        end of the shot show what is left behind.
        """
        ...
