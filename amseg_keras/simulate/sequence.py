"""Simulated frames, one by one or as a time series of one shot."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate.facilities import Facility
from amseg_keras.simulate.recording import Recording, draw_shot, record

__all__ = [
    "Recording",
    "SimulatedSequence",
    "draw_shot",
    "record",
    "simulate_frame",
    "simulate_sequence",
]


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
    return record(facility, 1, int(rng.integers(2**63)), shape=shape)[0]


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
