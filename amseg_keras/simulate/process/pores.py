"""The life of a pore: born as a bubble, it grows, drifts in the melt, and freezes."""

from dataclasses import dataclass

import numpy as np

from amseg_keras.simulate.ranges.base import draw


@dataclass(frozen=True)
class Pore:
    """A pore through time; frames are those of its shot.

    Attributes:
        born: First frame; minus infinity for a pore of an earlier track.
        place_um: Where it is born: along the frame's rows and below the surface, in um.
        diameter_um: Its diameter when it is born.
        growth: How much larger it gets, as a fraction.
        pace: Frames over which it grows and its drift dies out.
        drift_um: Velocity when it is born, um per frame: to the right, and down.
        frozen: Frame in which the melt about it has solidified.
        gone: Frame in which it has dissolved or burst; infinity where it stays.
        depth_um: How deep it is along the beam, in um.
        shape: Seed of its outline.
    """

    born: float
    place_um: tuple[float, float]
    diameter_um: float
    growth: float
    pace: float
    drift_um: tuple[float, float]
    frozen: float
    gone: float
    depth_um: float
    shape: int

    def at(self, frame: int) -> tuple[float, float, float] | None:
        """Column and depth below the surface (um) and diameter (um); None before and after.

        Example:
            >>> pore = Pore(0, (10.0, 50.0), 20.0, 0.5, 4.0, (1.0, 0.0), 9, 30, 15.0, 1)
            >>> pore.at(0), pore.at(9) == pore.at(25), pore.at(30)
            ((10.0, 50.0, 20.0), True, None)
        """
        if not self.born <= frame < self.gone:
            return None
        age = 0.0 if np.isinf(self.born) else min(frame, self.frozen) - self.born
        done = 1 - np.exp(-max(age, 0.0) / self.pace)
        moved = self.pace * done
        diameter = self.diameter_um * (1 + self.growth * done)
        if np.isfinite(self.gone):
            diameter *= min(1.0, (self.gone - frame) / self.pace)
        along, down = self.drift_um
        column, depth = self.place_um
        depth = max(depth + down * moved, diameter / 2)
        return float(column + along * moved), float(depth), float(diameter)


@dataclass(frozen=True)
class Bubble:
    """A pore at the moment that it is born; as in `Pore`."""

    place_um: tuple[float, float]
    diameter_um: float
    depth_um: float


def pinched_off(
    rng: np.random.Generator, frame: int, bubble: Bubble, step_um: float, melt_frames: float
) -> Pore:
    """A pore from the tip of a collapsing keyhole.

    Args:
        rng: Source of all randomness.
        frame: When it is left behind.
        bubble: What is left behind.
        step_um: How far the laser goes in a frame, signed: the melt flows the other way.
        melt_frames: Frames until the end of the melt pool has passed.
    """
    frozen = frame + melt_frames * draw(rng, (0.6, 1.3))
    # One bubble in seven rises to the surface or is taken in by the keyhole again.
    gone = frozen + draw(rng, (-0.5, 0)) * melt_frames if rng.random() < 0.15 else np.inf
    return Pore(
        born=frame,
        place_um=bubble.place_um,
        diameter_um=bubble.diameter_um,
        growth=draw(rng, (-0.15, 0.5)),
        pace=max(draw(rng, (0.15, 0.5)) * melt_frames, 1.0),
        drift_um=(-step_um * draw(rng, (0.1, 0.9)), rng.normal(0, 0.25) * abs(step_um)),
        frozen=frozen,
        gone=gone,
        depth_um=bubble.depth_um,
        shape=int(rng.integers(2**31)),
    )


def of_earlier_track(rng: np.random.Generator, bubble: Bubble) -> Pore:
    """A pore that was there before the laser came, and that stays."""
    return Pore(
        born=-np.inf,
        place_um=bubble.place_um,
        diameter_um=bubble.diameter_um,
        growth=0.0,
        pace=1.0,
        drift_um=(0.0, 0.0),
        frozen=-np.inf,
        gone=np.inf,
        depth_um=bubble.depth_um,
        shape=int(rng.integers(2**31)),
    )
