"""Recordings for training: of several facilities, at any pixel size."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from amseg_keras.simulate.facilities import Facility
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.recording import Recording, facility_named, record

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
        shape: Height and width in pixels; by default those of the facility.
        motion: Whether labels hold voids that only motion shows.

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
