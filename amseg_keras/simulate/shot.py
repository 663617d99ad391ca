"""What every simulated experiment is, whatever stands in its beam."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from amseg_keras.simulate.detector import Detector


@dataclass(frozen=True)
class View:
    """The view of a camera.

    Attributes:
        shape: Height and width in pixels.
        pixel_um: Size of a pixel.
        frame_rate_hz: Frames per second.
    """

    shape: tuple[int, int]
    pixel_um: float
    frame_rate_hz: float


@dataclass(frozen=True)
class LabelMaps:
    """Class ids of one frame, uint8 `(height, width)` each; they differ in what is ignored.

    Attributes:
        frame: Voids that a single frame shows.
        motion: Voids that a single frame or its difference from a background shows.
        divided: Voids that its difference from a background alone shows.
    """

    frame: np.ndarray
    motion: np.ndarray
    divided: np.ndarray


@dataclass(frozen=True)
class Liquid:
    """Liquid metal in one frame.

    Attributes:
        mask: Where it is, uint8 0 or 1 `(height, width)`.
        in_frame: Whether its boundary can be seen in a single frame.
        in_motion: Whether its boundary can be seen in the difference from a background.
    """

    mask: np.ndarray
    in_frame: bool
    in_motion: bool


@dataclass(frozen=True)
class Picture:
    """One frame of a shot.

    Attributes:
        intensity: Transmitted fraction of the beam without noise, float32 `(height, width)`.
        labels: Class ids; None where they were not asked for.
        liquid: Liquid metal; None where the scene does not say.
    """

    intensity: np.ndarray
    labels: LabelMaps | None = None
    liquid: Liquid | None = None


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

        Both `(height, width)`. The same frame is rendered the same each time; frames before the
        beginning show what is there before the laser comes, frames past the end of the shot what
        is left behind.
        """
        ...

    def picture(self, frame: int, labelled: bool = True) -> Picture:
        """Render a frame with all that is known of it, or without labels in less time."""
        ...

    def seen(self, first: int, end: int) -> "Shot":
        """Return the shot as a recording from one frame up to another sees it.

        What stands still for most of the recording is in its background, and does not move.
        """
        ...


class WithoutMotion:
    """Pictures of shots whose labels are the same whether or not a network sees motion."""

    def picture(self, frame: int, labelled: bool = True) -> Picture:
        """See `Shot.picture`."""
        del labelled
        intensity, labels = self.render(frame)  # type: ignore[attr-defined]
        return Picture(intensity, LabelMaps(labels, labels, labels))

    def seen(self, first: int, end: int) -> Any:
        """See `Shot.seen`."""
        del first, end
        return self
