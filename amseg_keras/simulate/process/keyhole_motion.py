"""How a keyhole moves in time: it oscillates, collapses, leaves bubbles behind and recovers."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from amseg_keras.simulate.process.keyhole_number import chaos

PEAK = 0.6
"""Swing, in standard deviations, that a keyhole must reach to pinch off at its turn."""


@dataclass(frozen=True)
class KeyholeMotion:
    """A keyhole over the frames of a shot; frame 0 is the first with the laser on.

    Attributes:
        depth: Depth over its mean, float `(frames,)`.
        swing: The oscillation alone, mean 0 and standard deviation 1, `(frames,)`.
        phase: Of the wave that runs down the rear wall, radians, `(frames,)`.
        fluctuation: Standard deviation of the depth over its mean without collapses.
        pinch_offs: Frames in which the tip is left behind as a bubble.
    """

    depth: np.ndarray
    swing: np.ndarray
    phase: np.ndarray
    fluctuation: float
    pinch_offs: tuple[int, ...]


def oscillate(
    rng: np.random.Generator, frames: int, cycles_per_frame: float, quality: float
) -> np.ndarray:
    """A damped oscillator that noise drives, mean 0 and standard deviation 1, `(frames,)`.

    Args:
        rng: Source of the noise.
        frames: Length.
        cycles_per_frame: Natural frequency over the frame rate.
        quality: Cycles, times pi, over which it forgets its phase.
    """
    turn = 2 * np.pi * cycles_per_frame
    radius = np.exp(-turn / (2 * quality))
    first, second = 2 * radius * np.cos(turn), -(radius**2)
    # Variance of a second-order autoregression driven by white noise of variance 1.
    variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    settling = int(np.ceil(5 * quality / turn)) + 1
    noise = rng.standard_normal(settling + frames)
    return lfilter([1.0], [1.0, -first, -second], noise)[settling:] / np.sqrt(variance)


def move_keyhole(
    rng: np.random.Generator, frames: int, number: float, cycles_per_frame: float
) -> KeyholeMotion:
    """Draw the motion of a keyhole: the higher the keyhole number, the wilder and leakier.

    Each experiment has a scatter of its own, so that stable keyholes are found at high numbers
    and leaky ones at low, as in the paper's figure 7.

    Args:
        rng: Source of all randomness.
        frames: Frames with the laser on.
        number: The keyhole number.
        cycles_per_frame: Frequency of its oscillation over the frame rate.
    """
    fluctuation = (0.035 + 0.2 * chaos(number)) * float(np.exp(rng.normal(0, 0.45)))
    leak = float(np.clip(1.8 * (fluctuation - 0.08) * np.exp(rng.normal(-0.3, 1.0)), 0, 0.6))
    swing = oscillate(rng, frames, cycles_per_frame, quality=float(rng.uniform(2, 6)))
    build_up = 1 - np.exp(-(np.arange(frames) + 1) / (rng.uniform(0.6, 2.0) / cycles_per_frame))
    depth = build_up * np.maximum(1 + fluctuation * swing, 0.15)
    turns = np.flatnonzero((swing[1:-1] > PEAK) & (swing[1:-1] > swing[2:])) + 1
    chances = rng.random(len(turns))
    losses, recoveries = rng.uniform(0.2, 0.55, len(turns)), rng.uniform(0.4, 1.0, len(turns))
    pinch_offs: list[int] = []
    for turn, chance, loss, recovery in zip(turns, chances, losses, recoveries, strict=True):
        rested = not pinch_offs or turn - pinch_offs[-1] > 0.7 / cycles_per_frame
        if chance < leak and rested and build_up[turn] > 0.6:
            pinch_offs.append(int(turn))
            since = np.arange(frames - turn - 1)
            depth[turn + 1 :] *= 1 - loss * np.exp(-since * cycles_per_frame / recovery)
    steps = 2 * np.pi * cycles_per_frame * rng.normal(1, 0.2, frames)
    return KeyholeMotion(depth, swing, np.cumsum(steps), fluctuation, tuple(pinch_offs))
