"""The beamlines and machines whose frames are simulated, and what was run there."""

from dataclasses import dataclass, replace

import numpy as np

from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges import (
    APS_MOVIE,
    MOVIE,
    PLAIN,
    SLICES,
    USUAL,
    WALL_MOVIE,
    MovieRanges,
    PresentationRanges,
)
from amseg_keras.simulate.ranges.casting import HPDC, HPDC_REFERENCE, CastingRanges
from amseg_keras.simulate.ranges.deposit import DLS, DLS_REFERENCE, DepositRanges
from amseg_keras.simulate.ranges.melt import (
    APS,
    APS_REFERENCE,
    ESRF,
    ESRF_LPBF_REFERENCE,
    ESRF_WELDING_REFERENCE,
    WALL_REFERENCE,
    MeltRanges,
)


@dataclass(frozen=True)
class Facility:
    """Where frames are recorded.

    Attributes:
        name: Short name.
        title: Beamline, process and energy in a few words.
        shape: Height and width of its frames in pixels.
        pixel_size_um: Size of a pixel in the object; None if it is not known.
        frame_rate_hz: Frames per second; None where the frames are no time series.
        experiments: What was run there (the paper's Table 1).
        ranges: Ranges that simulated frames are drawn from.
        movie: What differs from frame to frame.
        presentations: Forms in which frames are stored.

    Example:
        Own ranges for own frames:

        >>> steeper = replace(FACILITIES["esrf"].ranges, tilt_deg=(-6.0, 6.0))
        >>> replace(FACILITIES["esrf"], ranges=steeper).ranges.tilt_deg
        (-6.0, 6.0)
    """

    name: str
    title: str
    shape: tuple[int, int]
    pixel_size_um: float | None
    frame_rate_hz: float | None
    experiments: tuple[Experiment, ...]
    ranges: MeltRanges | DepositRanges | CastingRanges
    movie: MovieRanges = MOVIE
    presentations: PresentationRanges = USUAL

    def at(self, pixel_um: float) -> "Facility":
        """Return this facility with another pixel size.

        Example:
            >>> FACILITIES["aps"].at(1.4).pixel_size_um
            1.4
        """
        return replace(self, pixel_size_um=pixel_um)

    @property
    def processes(self) -> tuple[str, ...]:
        """The processes of its experiments, each once."""
        return tuple(dict.fromkeys(experiment.process for experiment in self.experiments))

    def draw_experiment(self, rng: np.random.Generator, process: str | None = None) -> Experiment:
        """Draw an experiment of one process, or of any process.

        Raises:
            ValueError: The process was not run there.
        """
        rows = [row for row in self.experiments if process in (None, row.process)]
        if not rows:
            raise ValueError(
                f"{self.name}: process must be one of {', '.join(self.processes)}, not {process!r}."
            )
        shares = np.array([row.share for row in rows])
        return rows[int(rng.choice(len(rows), p=shares / shares.sum()))]


# Laser power in W and scan speed in mm/s.
_ESRF_LASER = ((100.0, 600.0), (200.0, 1800.0))
_APS_LASER = ((100.0, 520.0), (300.0, 1200.0))
_DLS_LASER = ((100.0, 400.0), (1.0, 10.0))
_POWDERS = {
    "Ti6Al4V": 0.4,
    "Ti6242": 0.15,
    "AlSi10Mg": 0.15,
    "CP1": 0.1,
    "SS316L": 0.1,
    "IN625": 0.1,
}

FACILITIES: dict[str, Facility] = {
    facility.name: facility
    for facility in (
        Facility(
            name="esrf",
            title="ESRF ID19, laser powder bed fusion and welding, pink beam of about 30 keV",
            shape=(256, 512),
            pixel_size_um=4.31,
            frame_rate_hz=40_000.0,
            experiments=(
                *(
                    Experiment("lpbf", powder, "Ti6Al4V", *_ESRF_LASER, share=0.6 * share)
                    for powder, share in _POWDERS.items()
                ),
                Experiment("welding", "Ti6Al4V", "Ti6Al4V", *_ESRF_LASER, share=0.4),
            ),
            ranges=ESRF,
        ),
        Facility(
            name="aps",
            title="APS 32-ID-B, welding and laser powder bed fusion, pink beam of about 24 keV",
            shape=(400, 1024),
            pixel_size_um=2.0,
            frame_rate_hz=50_000.0,
            experiments=tuple(
                Experiment(process, alloy, alloy, *_APS_LASER, share=share * own)
                for process, share in (("welding", 0.75), ("lpbf", 0.25))
                for alloy, own in (("Ti6Al4V", 0.6), ("Al", 0.2), ("Al7A77", 0.2))
            ),
            ranges=APS,
        ),
        Facility(
            name="dls",
            title="Diamond I12, directed energy deposition, about 53 keV",
            shape=(200, 400),
            pixel_size_um=6.67,
            frame_rate_hz=1_000.0,
            experiments=tuple(
                Experiment("ded", alloy, alloy, *_DLS_LASER)
                for alloy in ("Ti6242", "SS316L", "IN718")
            ),
            ranges=DLS,
            presentations=SLICES,
        ),
        Facility(
            name="hpdc",
            title="high-pressure die casting, slices of a tomogram",
            shape=(256, 512),
            pixel_size_um=None,
            frame_rate_hz=None,
            experiments=(Experiment("casting", "AlSi10Mg", "AlSi10Mg", (0.0, 0.0), (0.0, 0.0)),),
            ranges=HPDC,
            presentations=SLICES,
        ),
    )
}
"""By name. Alloys, powers and speeds are those of the paper's Table 1 where it is known what they
are; for Diamond they are typical of its blown-powder process."""


def _reference(
    name: str, process: str, ranges: MeltRanges | DepositRanges | CastingRanges
) -> Facility:
    """Narrow a facility to one process, to its first experiment, and to narrow ranges."""
    facility = FACILITIES[name]
    rows = tuple(row for row in facility.experiments if row.process == process)
    return replace(
        facility,
        experiments=rows[:1],
        ranges=ranges,
        movie=replace(APS_MOVIE, drift_px=(0.0, 0.01)),
        presentations=PLAIN,
    )


def _wall() -> Facility:
    """Make a facility like `wall_movie`, whose pixel size and frame rate are assumed."""
    wall = _reference("aps", "welding", WALL_REFERENCE)
    slow = replace(wall.experiments[0], speed_mm_s=(350.0, 390.0), power_W=(20.0, 520.0))
    return replace(
        wall, shape=(120, 400), pixel_size_um=4.31, experiments=(slow,), movie=WALL_MOVIE
    )


REFERENCES: dict[str, Facility] = {
    "esrf-lpbf": _reference("esrf", "lpbf", ESRF_LPBF_REFERENCE),
    "esrf-welding": _reference("esrf", "welding", ESRF_WELDING_REFERENCE),
    "aps": replace(_reference("aps", "welding", APS_REFERENCE), movie=APS_MOVIE),
    "wall": _wall(),
    "dls": _reference("dls", "ded", DLS_REFERENCE),
    "hpdc": _reference("hpdc", "casting", HPDC_REFERENCE),
}
"""Facilities narrowed to the conditions under which real frames were recorded, to compare with
them: `benchmarks/simulated_against_real.py`."""
