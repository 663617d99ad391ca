"""What is simulated in place of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amseg_keras.classes import CLASS_NAMES, MELT_POOL

if TYPE_CHECKING:
    from amseg_keras.simulate import Facility


TARGETS = 8
"""Labelled frames of each simulated recording: its background is paid for once."""


@dataclass(frozen=True)
class Simulation:
    """A stream of simulated recordings in place of a data set.

    Attributes:
        facilities: Name of each facility of `simulate.FACILITIES`, and its share of the frames.
        frames: Number of frames in an epoch.
        crop: Height and width of windows that show the surface of the plate. Most of the training
            sees such windows: smooth gas and a smooth plate look alike without a surface. None
            trains on whole frames.
        whole_from: Share of the epochs after which the training sees whole frames.
        validation_frames: Number of frames of the first facility to validate on. The training
            never sees these frames.
        reuse: How often the training sees a simulated frame, cut and altered anew each time. An
            epoch simulates `frames / reuse` new frames and draws the others from earlier epochs.
        kept: Largest number of simulated frames on disk. The oldest frames go first.
        places: Facilities with ranges of your own, by names that `facilities` has.
        melt_pool: Whether liquid metal is a sixth class, `melt pool`.
        coverage: Whether some recordings have another pixel size than their facility (1 to 6.5 um),
            and frames are zoomed (0.5 to 1.7) and blurred.

    Example:
        >>> str(Simulation({"esrf": 0.75, "aps": 0.25}))
        '75 % esrf, 25 % aps'
    """

    facilities: Mapping[str, float] = field(default_factory=lambda: {"esrf": 1.0})
    frames: int = 800
    crop: tuple[int, int] | None = (192, 256)
    whole_from: float = 0.85
    validation_frames: int = 24
    reuse: float = 4.0
    kept: int = 10_000
    coverage: bool = True
    melt_pool: bool = False
    places: Mapping[str, Facility] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.facilities or min(self.facilities.values()) <= 0:
            raise ValueError("facilities need shares above 0")
        if self.frames < 1 or self.validation_frames < 1:
            raise ValueError("an epoch and the validation need at least one frame")
        if self.reuse < 1:
            raise ValueError(f"reuse is {self.reuse}, it must be at least 1")
        if self.kept < self.frames / self.reuse:
            raise ValueError(
                f"kept is {self.kept}, it must be at least the {self.frames / self.reuse:.0f} new "
                "frames of an epoch (frames / reuse)"
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their ids."""
        return (*CLASS_NAMES, MELT_POOL) if self.melt_pool else CLASS_NAMES

    def place(self, name: str) -> Facility:
        """Find a facility by its name.

        Raises:
            ValueError: There is no such facility.
        """
        # The simulator needs OpenCV, which describing a simulation does not.
        from amseg_keras.simulate import FACILITIES

        known = {**FACILITIES, **self.places}
        if name not in known:
            raise ValueError(f"{name!r} is no facility; there are {', '.join(known)}")
        return known[name]

    @property
    def recordings_per_epoch(self) -> int:
        """Number of recordings that an epoch simulates."""
        return max(1, round(self.frames / self.reuse / TARGETS))

    def __str__(self) -> str:
        total = sum(self.facilities.values())
        return ", ".join(
            f"{share / total:.0%} {name}".replace("%", " %")
            for name, share in self.facilities.items()
        )
