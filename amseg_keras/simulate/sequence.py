"""Simulated frames, one by one or as a time series of one shot."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate.facilities import FACILITIES, Facility
from amseg_keras.simulate.physics.detector import expose
from amseg_keras.simulate.ranges.casting import CastingRanges
from amseg_keras.simulate.ranges.deposit import DepositRanges
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.casting import draw_casting
from amseg_keras.simulate.scenes.deposit import draw_deposit
from amseg_keras.simulate.scenes.melt import draw_melt_shot
from amseg_keras.simulate.shot import Shot, View


@dataclass(frozen=True)
class Recording:
    """A shot as it is recorded: frames are rendered when they are asked for.

    Attributes:
        facility: Where.
        shot: What was drawn.
        first: Frame of the shot with which the recording begins.
        frames: Its length.
        seed: Of all its randomness.

    Example:
        >>> recording = record("dls", 500, seed=3, shape=(96, 160))
        >>> len(recording), recording.facility.frame_rate_hz, recording.parameters["process"]
        (500, 1000.0, 'ded')
        >>> frame, labels = recording[250]
        >>> bool(np.array_equal(recording[250][0], frame))  # the same whenever it is asked for
        True
    """

    facility: Facility
    shot: Shot
    first: int
    frames: int
    seed: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Facility, process, material, laser power (W), speed (mm/s), seed, what was drawn."""
        head = {"facility": self.facility.name, "seed": self.seed, "first_frame": self.first}
        return head | self.shot.parameters

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame (uint8 or uint16) and labels (uint8), both `(height, width)`.

        Args:
            index: From 0 to `len(recording) - 1`.

        Raises:
            IndexError: There is no such frame.
        """
        if not 0 <= index < self.frames:
            raise IndexError(f"frame {index} of {self.frames}")
        number = self.first + index
        intensity, labels = self.shot.render(number)
        noise = np.random.default_rng((self.seed, number))
        return expose(noise, intensity, self.shot.detector), labels


@dataclass(frozen=True)
class SimulatedSequence:
    """A time series of one shot, or neighbouring slices of one casting.

    Attributes:
        frames: uint8 or uint16, `(frames, height, width)`.
        labels: uint8 class ids of the same shape, 255 where nobody could tell.
        class_names: Names of the class ids.
        pixel_size_um: Size of a pixel in the object; None where nobody says.
        frame_rate_hz: Frames per second; None for slices.
        parameters: Facility, process, material, laser power (W), speed (mm/s), seed and what
            was drawn.

    Example:
        Simulated labels are as good to measure as those of a network:

        >>> from amseg_keras.quantify import Scale, measure
        >>> shot = simulate_sequence("dls", 3, seed=3, shape=(96, 160))
        >>> scale = Scale(shot.pixel_size_um, shot.frame_rate_hz)
        >>> measure(shot.labels, shot.class_names, scale).frames["time_s"].tolist()
        [0.0, 0.001, 0.002]
    """

    frames: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    pixel_size_um: float | None
    frame_rate_hz: float | None
    parameters: dict[str, Any]


def simulate_frame(
    rng: np.random.Generator,
    shape: tuple[int, int] | None = None,
    facility: str | Facility = "esrf",
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate one labelled frame, at a random moment of a random experiment.

    Args:
        rng: Source of all randomness.
        shape: Height and width in pixels; by default those of the facility.
        facility: Name of one of `FACILITIES`, or one with ranges of your own.

    Returns:
        Frame (uint8 or uint16) and labels (uint8), both `(height, width)`.

    Example:
        >>> frame, labels = simulate_frame(np.random.default_rng(0), (128, 256))
        >>> frame.shape, labels.shape, str(labels.dtype)
        ((128, 256), (128, 256), 'uint8')
    """
    shot = draw_shot(rng, _found(facility), shape=shape)
    intensity, labels = shot.render(int(rng.integers(shot.frames)))
    return expose(rng, intensity, shot.detector), labels


def simulate_sequence(
    facility: str | Facility,
    frames: int,
    seed: int,
    *,
    process: str | None = None,
    shape: tuple[int, int] | None = None,
) -> SimulatedSequence:
    """Simulate one shot: the laser moves, the keyhole oscillates, pores pinch off and stay.

    A shot that is longer than `frames` is entered at a random moment; one that is shorter goes
    on after the laser has left the view, with what it left behind. Frames of castings are
    neighbouring slices.

    Args:
        facility: Name of one of `FACILITIES`, or one with ranges of your own.
        frames: Number of frames.
        seed: Same seed, same sequence.
        process: One of the facility's; by default any.
        shape: Height and width in pixels; by default those of the facility.

    Returns:
        Frames and labels in memory, with what is known of them; `record` gives the same frame by
        frame.

    Raises:
        ValueError: No such facility, the process was not run there, or no frames.

    Example:
        >>> shot = simulate_sequence("aps", 3, seed=1, process="welding", shape=(96, 160))
        >>> shot.frames.shape, shot.pixel_size_um, shot.parameters["process"]
        ((3, 96, 160), 2.0, 'welding')
    """
    recording = record(facility, frames, seed, process=process, shape=shape)
    images, labels = zip(*(recording[index] for index in range(frames)), strict=True)
    place = recording.facility
    return SimulatedSequence(
        np.stack(images),
        np.stack(labels),
        CLASS_NAMES,
        place.pixel_size_um,
        place.frame_rate_hz,
        recording.parameters,
    )


def record(
    facility: str | Facility,
    frames: int,
    seed: int,
    *,
    process: str | None = None,
    shape: tuple[int, int] | None = None,
) -> Recording:
    """The same as `simulate_sequence`, frame by frame: for stacks that do not fit into memory.

    Args:
        facility: Name of one of `FACILITIES`, or one with ranges of your own.
        frames: Number of frames.
        seed: Same seed, same frames.
        process: One of the facility's; by default any.
        shape: Height and width in pixels; by default those of the facility.

    Returns:
        The recording: each frame is rendered when it is asked for.

    Raises:
        ValueError: No such facility, the process was not run there, or no frames.

    Example:
        >>> recording = record("hpdc", 200, seed=1, shape=(96, 160))
        >>> sum(int((labels == CLASS_NAMES.index("pore")).any()) for _, labels in recording) > 100
        True
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, not {frames}.")
    place = _found(facility)
    rng = np.random.default_rng(seed)
    shot = draw_shot(rng, place, process, shape, frames)
    first = int(rng.integers(max(shot.frames - frames, 0) + 1))
    return Recording(place, shot, first, frames, seed)


def draw_shot(
    rng: np.random.Generator,
    facility: Facility,
    process: str | None = None,
    shape: tuple[int, int] | None = None,
    frames: int = 1,
) -> Shot:
    """Draw one experiment of a facility.

    Args:
        rng: Source of all randomness.
        facility: Where it is run.
        process: One of the facility's; by default any.
        shape: Height and width in pixels; by default those of the facility.
        frames: How many slices a casting must have; a laser takes as long as it takes.

    Raises:
        ValueError: The process was not run there.
    """
    experiment = facility.draw_experiment(rng, process)
    shape = shape or facility.shape
    ranges = facility.ranges
    if isinstance(ranges, CastingRanges):
        return draw_casting(rng, shape, experiment.material, frames, ranges)
    assert facility.pixel_size_um is not None
    assert facility.frame_rate_hz is not None
    view = View(shape, facility.pixel_size_um, facility.frame_rate_hz)
    if isinstance(ranges, DepositRanges):
        return draw_deposit(rng, view, experiment, ranges)
    assert isinstance(ranges, MeltRanges)
    return draw_melt_shot(rng, view, experiment, ranges)


def _found(facility: str | Facility) -> Facility:
    if isinstance(facility, Facility):
        return facility
    if facility not in FACILITIES:
        raise ValueError(f"facility must be one of {', '.join(FACILITIES)}, not {facility!r}.")
    return FACILITIES[facility]
