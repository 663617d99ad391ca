"""Domain randomisation: what a range is, and every range that the simulator draws from.

Lengths are in micrometres unless a name says `px` (detector pixels), fringe strengths in square
pixels, grey levels in fractions of the open beam. The files of this folder hold the ranges of a
process each; the ranges for how movies differ from frame to frame are here.

`wall_movie` is a recording of 262 raw frames of a wall built by laser powder bed fusion, `APS` one
of 25 raw frames of a bare plate; both were measured by `benchmarks/simulated_against_real.py`.
"""

from dataclasses import dataclass, fields

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class CheckedRanges:
    """A set of ranges whose lower ends are not above their upper ends, and of shares of 0 to 1."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                if not 0 <= value <= 1:
                    raise ValueError(f"{field.name}: a share must be from 0 to 1, not {value}.")
                continue
            low, high = value
            if low > high:
                raise ValueError(f"{field.name}: lower end {low} is above the upper end {high}.")


def draw(rng: np.random.Generator, limits: Range) -> float:
    """Uniform number between two limits."""
    return float(rng.uniform(*limits))


def draw_log(rng: np.random.Generator, limits: Range) -> float:
    """Log-uniform number: as many small ones as large ones."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def draw_integer(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """Uniform integer, both limits included."""
    return int(rng.integers(limits[0], limits[1] + 1))


@dataclass(frozen=True)
class MovieRanges(CheckedRanges):
    """What beam flicker, drift, and beginning and end of a recording are drawn from.

    Raises:
        ValueError: A lower end is above its upper end.

    Example:
        A specimen that does not move:

        >>> still = MovieRanges(drift_px=(0.0, 0.0), sway_px=(0.0, 0.0), shake_px=(0.0, 0.0))
        >>> still.drift_px
        (0.0, 0.0)
    """

    flicker: Range = (0.0003, 0.015)
    """Standard deviation of the beam's log intensity from frame to frame: 0.0005 in wall_movie,
    0.0007 at APS, up to 0.015 in the trial that made keyholes of real frames better."""
    flicker_tilt: Range = (0.0, 0.4)
    """The same of the change from top to bottom, over the flicker."""
    wave: Range = (0.0, 0.006)
    """Slow change of the beam: 0.005 in wall_movie."""
    drift_px: Range = (0.0, 0.03)
    """Pixels that the specimen drifts in a frame: 0.009 in wall_movie, 0.020 at APS."""
    most_drift_px: Range = (0.6, 4.0)
    """Where the drift ends: 1.9 px in wall_movie."""
    sway_px: Range = (0.0, 0.5)
    """Amplitude of a slow oscillation of the specimen: 0.5 px in wall_movie."""
    sway_frames: Range = (12.0, 400.0)
    """Its period: about 300 frames in wall_movie."""
    shake_px: Range = (0.0, 0.08)
    """Standard deviation of the specimen's place from frame to frame: at most 0.05 in wall_movie
    and 0.04 at APS."""
    shaking: float = 0.1
    """Share of recordings that shake ten times as much."""
    before: float = 0.15
    """Share of recordings that begin before the laser comes."""
    after: float = 0.15
    """Share of recordings that go on after the laser has left."""
    dark_share: Range = (0.1, 0.6)
    """Share of such a recording without the laser."""


@dataclass(frozen=True)
class PresentationRanges(CheckedRanges):
    """How often and how strongly frames are altered between the camera and the user.

    Raises:
        ValueError: A lower end is above its upper end, or a share is not one.

    Example:
        >>> PresentationRanges(divided=0.5).divided
        0.5
    """

    divided: float = 0.25
    """Share of recordings divided by their background: what most groups publish."""
    divided_span: Range = (8.0, 60.0)
    """Half of the grey levels of divided frames, over the noise of the plate there."""
    misplaced: float = 0.35
    """Share of divided recordings whose specimen has moved since the background: the powder layer
    is not divided out, as in zhang_1, _5 and _7."""
    misplaced_px: Range = (0.5, 6.0)
    """How far it has moved; beyond the size of the grains they look drawn anew."""
    ceiling: float = 0.08
    """Share of recordings with levels clipped not far above those of the plate."""
    ceiling_level: Range = (1.2, 3.0)
    """That level over the median."""
    shaded: float = 0.15
    """Share of recordings with strong shading from top to bottom."""
    shading: Range = (0.2, 1.1)
    """Its log intensity from top to bottom: plates of published frames are 0.35 (simonds_raw),
    0.4 (Pyeon) and 0.4 (wall_movie) darker at the bottom than below the surface."""
    padded: float = 0.08
    """Share of recordings with a constant border."""
    border: Range = (0.02, 0.2)
    """Its width, as a fraction of the frame's height or width."""
    compressed: float = 0.15
    """Share of recordings kept as JPEG; one in four of them as a video."""
    quality: Range = (25.0, 92.0)
    """JPEG quality."""
    resampled: float = 0.12
    """Share of recordings scaled down and up again, as figures are."""
    zoom: Range = (0.35, 0.85)
    """Factor by which they were scaled down."""


MOVIE = MovieRanges()
"""The ranges used for pretraining."""

USUAL = PresentationRanges()
"""The ranges used for pretraining."""

PLAIN = PresentationRanges(
    divided=0.0, ceiling=0.0, shaded=0.0, padded=0.0, compressed=0.0, resampled=0.0
)
"""Frames as the camera gave them."""

SLICES = PresentationRanges(divided=0.0, ceiling=0.03)
"""Frames without a background of their own: slices, and tracks that stand still for long."""

WALL_MOVIE = MovieRanges(
    flicker=(0.0004, 0.0005),
    flicker_tilt=(0.0, 0.2),
    wave=(0.0, 0.001),
    drift_px=(0.007, 0.009),
    most_drift_px=(1.2, 1.3),
    sway_px=(0.3, 0.5),
    sway_frames=(250.0, 350.0),
    shake_px=(0.02, 0.04),
    shaking=0.0,
    before=0.0,
    after=0.0,
)
"""As `wall_movie` was recorded."""

APS_MOVIE = MovieRanges(
    flicker=(0.0006, 0.0008),
    flicker_tilt=(0.0, 0.2),
    wave=(0.0, 0.001),
    drift_px=(0.018, 0.022),
    most_drift_px=(4.0, 4.0),
    sway_px=(0.0, 0.03),
    shake_px=(0.005, 0.015),
    shaking=0.0,
    before=0.0,
    after=0.0,
)
"""As the frames of Ti-6Al-4V at APS were recorded."""
