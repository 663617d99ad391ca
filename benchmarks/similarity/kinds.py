"""The kinds of recordings that are compared, and how alike simulated ones must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from similarity import measures, recordings
from similarity.measures import (
    Measured,
    MeasureFrame,
    measure_movie,
    measure_recording,
    measure_rest,
)
from similarity.recordings import LabelledStack


@dataclass(frozen=True)
class Target:
    """How near a simulated number must come to the real one.

    Attributes:
        name: Name of the number.
        unit: Unit of the number; empty for ratios and correlations.
        tolerance: Largest difference between the reference's median and the real value.
        published: The value in the list of facts that the simulator was written from.
    """

    name: str
    unit: str
    tolerance: float
    published: str = ""


@dataclass(frozen=True)
class Kind:
    """Recordings of one facility and process.

    Attributes:
        name: As in `REFERENCES`.
        title: For figures.
        facility: As in `FACILITIES`.
        process: As `simulate_sequence` takes it.
        frames: How many frames a simulated recording has.
        real: Reads the real recording from the folder of the given files.
        measure: Measures one frame.
        edge: Edge whose profile `measure` gives.
        targets: The numbers that are compared.
        movie: Whether the frames are a movie, long enough for a background.
        at_rest: Whether the plate stands still, so that its texture can be told from noise.
    """

    name: str
    title: str
    facility: str
    process: str
    frames: int
    real: Callable[[Path], LabelledStack]
    measure: MeasureFrame
    edge: str
    targets: tuple[Target, ...]
    at_rest: bool = False
    movie: bool = False

    def measured(self, recording: LabelledStack) -> Measured:
        """All numbers and curves of a recording."""
        # A movie's frames are much alike.
        found = measure_recording(recording, self.measure, 4 if self.movie else 14)
        if self.at_rest:
            found.numbers |= measure_rest(recording)
        if self.movie:
            found.numbers |= measure_movie(recording)
        return found


def _texture(
    name: str, fine: float, coarse: float, uneven: float, bands: tuple[float, ...]
) -> tuple[Target, ...]:
    return (
        Target(f"{name} fine contrast", "%", fine),
        Target(f"{name} coarse contrast", "%", coarse),
        Target(f"{name} unevenness", "", uneven),
        Target(f"{name} lag 1 in rows", "", 0.1),
        Target(f"{name} lag 1 in columns", "", 0.1),
        Target(f"{name} lag 2", "", 0.1),
        *(
            Target(f"{name} {low}-{high} px", "%", tolerance)
            for (low, high), tolerance in zip(measures.BANDS, bands, strict=True)
        ),
    )


def _movie(
    drift: float, noise: float, ghosts: float, bands: tuple[float, ...]
) -> tuple[Target, ...]:
    return (
        Target("flicker", "%", 0.1),
        Target("drift", "px / 100 frames", drift),
        Target("drift range", "px", 0.8),
        Target("movie noise", "%", noise),
        Target("ghosts", "", ghosts),
        *(
            Target(f"motion {low}-{high} px", "%", tolerance)
            for (low, high), tolerance in zip(measures.BANDS, bands, strict=True)
        ),
    )


# One recording of each kind is known, and another shot of it would differ: a tolerance allows 8 to
# 15 grey levels, a quarter of a contrast, a third of a band (half of the coarsest, which few
# periods fit in), 0.1 of a correlation, 0.03 to 0.15 of a fringe, 1 to 1.5 px of a rise. Halves of
# a real frame differ from the whole by less, the 14 slices of die casting by up to 33 grey levels.
KINDS = (
    Kind(
        "esrf-lpbf",
        "ESRF, powder bed",
        "esrf",
        "lpbf",
        1,
        recordings.esrf_lpbf,
        measures.measure_lpbf,
        "pore",
        (
            Target("gas mean", "grey", 8, "190"),
            Target("gas coarse contrast", "%", 0.5),
            Target("powder mean", "grey", 15, "167"),
            Target("powder sd", "grey", 8, "43"),
            Target("powder lag 1", "", 0.1),
            Target("substrate mean", "grey", 8, "127"),
            Target("substrate sd", "grey", 5, "21"),
            *_texture("substrate", 3.7, 4.2, 0.06, (3.5, 3.5, 2.5, 1.5)),
            Target("pore contrast", "sd", 0.5),
            Target("pore dark fringe", "", 0.08),
            Target("pore bright rim", "", 0.1),
        ),
    ),
    Kind(
        "esrf-welding",
        "ESRF, bare plate",
        "esrf",
        "welding",
        1,
        recordings.esrf_welding,
        measures.measure_welding,
        "surface",
        (
            Target("gas mean", "grey", 8, "191"),
            Target("gas coarse contrast", "%", 0.4),
            Target("substrate mean", "grey", 8, "148"),
            Target("substrate sd", "grey", 3, "12"),
            *_texture("substrate", 1.9, 2.1, 0.08, (1.7, 1.7, 0.9, 0.6)),
            Target("pore contrast", "sd", 1.0, "1.75"),
            Target("keyhole contrast", "sd", 0.5, "1.1"),
            Target("pore dark fringe", "", 0.08),
            Target("pore bright rim", "", 0.1),
            Target("surface bright fringe", "", 0.07),
            Target("surface dark fringe", "", 0.15),
            Target("surface rise", "px", 1.0),
        ),
    ),
    Kind(
        "aps",
        "APS, bare plate",
        "aps",
        "welding",
        25,
        recordings.aps_welding,
        measures.measure_aps,
        "keyhole",
        (
            Target("gas / plate", "", 0.1),
            *_texture("plate", 0.55, 0.7, 0.12, (0.4, 0.5, 0.45, 0.35)),
            Target("keyhole / plate", "", 0.05, "1.20"),
            Target("keyhole dark fringe", "", 0.03, "0.91"),
            Target("keyhole rise", "px", 1.0, "3"),
            Target("static texture", "%", 0.6, "2"),
            Target("noise", "%", 0.25, "1.1"),
            Target("noise lag 1", "", 0.1, "0 (white)"),
            *_movie(1.0, 0.3, 0.15, (0.4, 0.3, 0.2, 0.15)),
        ),
        at_rest=True,
        movie=True,
    ),
    Kind(
        "wall",
        "Wall of laser powder bed fusion",
        "aps",
        "welding",
        262,
        recordings.wall_movie,
        measures.measure_wall,
        "surface",
        (
            Target("wall / gas at 12 px", "", 0.05),
            Target("wall / gas at 30 px", "", 0.05),
            Target("wall / gas at 70 px", "", 0.05),
            Target("pore / wall", "", 0.04),
            *_texture("wall", 0.6, 0.9, 0.12, (0.5, 0.5, 0.5, 0.5)),
            *_movie(0.4, 0.4, 0.25, (0.4, 0.3, 0.25, 0.2)),
        ),
        movie=True,
    ),
    Kind(
        "dls",
        "Diamond, deposition",
        "dls",
        "ded",
        1,
        recordings.dls_ded,
        measures.measure_ded,
        "surface",
        (
            Target("gas mean", "grey", 8, "226"),
            *_texture("gas", 0.7, 0.8, 0.06, (0.6, 0.45, 0.25, 0.2)),
            Target("deposit / gas at 5 px", "", 0.08),
            Target("deposit / gas at 20 px", "", 0.08),
            Target("deposit / gas at 40 px", "", 0.06, "0.13 to 0.40"),
            Target("deposit / gas at 80 px", "", 0.06, "0.13 to 0.40"),
            Target("deposit noise", "grey", 1.5),
            Target("surface bright fringe", "", 0.03),
            Target("surface rise", "px", 1.0),
            Target("bright pore / deposit", "", 0.15),
            Target("dark pore / deposit", "", 0.15),
        ),
    ),
    Kind(
        "hpdc",
        "Die casting",
        "hpdc",
        "casting",
        1,
        recordings.hpdc_casting,
        measures.measure_casting,
        "pore",
        (
            Target("alloy mean", "grey", 10),
            Target("alloy sd", "grey", 5),
            Target("alloy shading", "%", 2.5),
            *_texture("alloy", 0.4, 0.8, 0.15, (0.11, 0.35, 0.45, 0.5)),
            Target("pore / alloy", "", 0.08),
            Target("pore share", "%", 2.0),
            Target("pore rise", "px", 1.5),
        ),
    ),
)
