"""What is simulated in place of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Simulation:
    """A stream of simulated frames in place of a data set.

    Attributes:
        facilities: Name of each facility of `simulate.FACILITIES`, and its share of the frames.
        frames: Frames in an epoch.
        crop: Height and width of windows that show the surface of the plate, which most of the
            training sees: smooth gas and a smooth plate look alike without it. None: whole frames.
        whole_from: From this share of the epochs on, whole frames.
        validation_frames: Frames of the first facility to validate on; never trained on.

    Example:
        >>> str(Simulation({"esrf": 0.75, "aps": 0.25}))
        '75 % esrf, 25 % aps'
    """

    facilities: Mapping[str, float] = field(default_factory=lambda: {"esrf": 1.0})
    frames: int = 800
    crop: tuple[int, int] | None = (192, 256)
    whole_from: float = 0.85
    validation_frames: int = 24

    def __post_init__(self) -> None:
        if not self.facilities or min(self.facilities.values()) <= 0:
            raise ValueError("facilities need shares above 0")
        if self.frames < 1 or self.validation_frames < 1:
            raise ValueError("an epoch and the validation need at least one frame")

    def __str__(self) -> str:
        total = sum(self.facilities.values())
        return ", ".join(
            f"{share / total:.0%} {name}".replace("%", " %")
            for name, share in self.facilities.items()
        )
