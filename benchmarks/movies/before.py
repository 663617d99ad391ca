"""The simulator without what real recordings have: as it was before it looked at movies."""

from __future__ import annotations

from dataclasses import replace

from amseg_keras.simulate import Facility, MeltRanges
from amseg_keras.simulate.ranges import PLAIN, MovieRanges

_NONE = (0.0, 0.0)

STILL = MovieRanges(
    flicker=(1e-9, 1e-9),
    flicker_tilt=_NONE,
    wave=_NONE,
    drift_px=_NONE,
    sway_px=_NONE,
    shake_px=_NONE,
    shaking=0.0,
    before=0.0,
    after=0.0,
)
"""Neither beam nor specimen changes, and the laser is on from the first frame to the last."""


def before(facility: Facility) -> Facility:
    """Take from a facility what differs from frame to frame, and the new marks and presentations.

    What remains as it is now: the rule of what is too faint to be labelled, and the rates of
    events that the old ranges had too.
    """
    ranges = facility.ranges
    assert isinstance(ranges, MeltRanges)
    plain = replace(
        ranges,
        narrow=0.0,
        faint=0.0,
        shallow=0.0,
        standing=0.0,
        liquid_lacking=_NONE,
        fresh_texture=_NONE,
        fresh_fading=_NONE,
        bead_ripple=_NONE,
        plume=(-0.08, -0.08),
        afterglow=_NONE,
        porous=0.0,
        band=0.0,
        crowned=0.0,
        dented=0.0,
        stains=(0, 0),
        blown=0.0,
    )
    # One recording in twenty was divided by its background.
    return replace(facility, ranges=plain, movie=STILL, presentations=replace(PLAIN, divided=0.05))
