"""The simulator without what real recordings have: as it was before it looked at movies."""

from __future__ import annotations

from dataclasses import replace

from amseg_keras.simulate import Facility


def before(facility: Facility) -> Facility:
    """Take from a facility what differs from frame to frame, and the other presentations."""
    return replace(facility)
