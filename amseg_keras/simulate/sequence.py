"""Simulated frames, one by one or as a time series, of one facility or of several."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate.facilities import Facility
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.recording import Recording, facility_named, record


@dataclass(frozen=True)
class SimulatedSequence:
    """A time series of one shot, or neighbouring slices of one casting.

    Attributes:
        frames: uint8 or uint16, `(frames, height, width)`.
        labels: uint8 class ids of the same shape, 255 where the frame does not show the class.
        class_names: Names of the class ids.
        pixel_size_um: Size of a pixel in the object; None if it is not known.
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
        shape: Height and width in pixels; the facility's by default.
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
        process: Process of the facility; any by default.
        shape: Height and width in pixels; the facility's by default.

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


PIXEL_SIZES_UM = (1.0, 1.4, 2.0, 2.9, 4.31, 6.5)
"""Pixel sizes of radiographs of melt pools in the literature lie between 1 and 7 um. Each of these
has textures of its own, about 70 MB of them, which the first recording makes in seconds."""

SHARES: Mapping[str, float] = MappingProxyType({"esrf": 0.65, "aps": 0.35})
"""Facilities and their shares."""

OWN_SCALE = 0.4
"""Share of recordings at the pixel size of their facility."""


def draw_recording(
    seed: int,
    frames: int,
    *,
    shares: Mapping[str, float] = SHARES,
    shape: tuple[int, int] | None = None,
    motion: bool = True,
) -> Recording:
    """Draw a recording of one of several facilities, at one of several pixel sizes.

    Args:
        seed: Same seed, same recording.
        frames: Number of frames.
        shares: Names of facilities and how often they are drawn.
        shape: Height and width in pixels; the facility's by default.
        motion: True if labels hold voids that only motion shows.

    Returns:
        The recording, in a presentation that is drawn too.

    Raises:
        ValueError: There is no such facility, or no frames.

    Example:
        >>> recording = draw_recording(4, 60, shares={"aps": 1.0}, shape=(96, 160))
        >>> recording.facility.name, recording.grey(30).shape
        ('aps', (96, 160))
    """
    rng = np.random.default_rng((seed, 1))
    weights = np.array(list(shares.values()), float)
    name = str(rng.choice(list(shares), p=weights / weights.sum()))
    place = facility_named(name)
    # Slices have no pixel size, and depositions are as large as they are.
    if isinstance(place.ranges, MeltRanges) and rng.random() >= OWN_SCALE:
        place = scaled(place, float(rng.choice(PIXEL_SIZES_UM)))
    return record(place, frames, seed, shape=shape, motion=motion)


def scaled(place: Facility, pixel_um: float) -> Facility:
    """Give a facility another pixel size; finer ones come with faster cameras.

    Example:
        >>> from amseg_keras.simulate.facilities import FACILITIES
        >>> scaled(FACILITIES["aps"], 1.0).frame_rate_hz
        100000.0
    """
    assert place.pixel_size_um is not None
    assert place.frame_rate_hz is not None
    faster = max(place.pixel_size_um / pixel_um, 1.0)
    return replace(place.at(pixel_um), frame_rate_hz=place.frame_rate_hz * faster)
