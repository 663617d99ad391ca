"""The laser's work: experiments, the keyhole's depth and motion, and the life of pores.

The scaling laws of Gan et al. 2021, *Universal scaling laws of keyhole stability and porosity in
3D printing of metals*, Nature Communications 12, 2379: one dimensionless number decides the
keyhole's aspect ratio, and whether it is stable or chaotic.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from amseg_keras.simulate.absorption import MATERIALS, Material
from amseg_keras.simulate.ranges import Range, draw, draw_log

ROOM_K = 293.0

CHAOTIC = 6.0
"""Keyhole number about which a keyhole turns from stable to chaotic."""


def keyhole_number(
    material: Material, power_w: float, speed_mm_s: float, spot_radius_um: float
) -> float:
    """Keyhole number Ke of a laser and an alloy.

    Ke = eta P / ((T_l - T_0) pi rho c_p sqrt(alpha v r^3))

    Args:
        material: Alloy that melts.
        power_w: Laser power P in W.
        speed_mm_s: Scan speed v in mm/s.
        spot_radius_um: Radius r of the laser spot in um.

    Example:
        >>> from amseg_keras.simulate.absorption import MATERIALS
        >>> round(keyhole_number(MATERIALS["Ti6Al4V"], 200.0, 500.0, 45.0), 1)
        11.5
    """
    thermal = material.thermal
    radius, speed = spot_radius_um * 1e-6, speed_mm_s * 1e-3
    diffused = np.sqrt(thermal.diffusivity * speed * radius**3)
    needed = (thermal.liquidus_k - ROOM_K) * np.pi * thermal.density * thermal.heat * diffused
    return float(thermal.absorptivity * power_w / needed)


def keyhole_depth_um(number: float, spot_radius_um: float) -> float:
    """Compute the mean depth in um: depth / r is 0.4 (Ke - 1.4); 0 in conduction mode.

    Example:
        >>> keyhole_depth_um(6.4, 50.0)
        100.0
        >>> keyhole_depth_um(1.0, 50.0)
        0.0
    """
    return max(0.4 * (number - 1.4), 0.0) * spot_radius_um


def number_for_depth(depth_um: float, spot_radius_um: float) -> float:
    """Keyhole number at which a keyhole has a mean depth; below 1.4 for a negative one.

    Example:
        >>> round(number_for_depth(100.0, 50.0), 6)
        6.4
    """
    return depth_um / (0.4 * spot_radius_um) + 1.4


def chaos(number: float) -> float:
    """Rate how chaotic a keyhole is, 0 (stable) to 1, half at `CHAOTIC`.

    Example:
        >>> chaos(2.0) < 0.1, chaos(6.0), chaos(10.0) > 0.9
        (True, 0.5, True)
    """
    return float(1 / (1 + np.exp(-(number - CHAOTIC) / 1.5)))


PROCESSES = ("lpbf", "welding", "ded", "casting")


@dataclass(frozen=True)
class Experiment:
    """A row of the paper's Table 1: what was run at a facility, and how.

    Attributes:
        process: Name out of `PROCESSES`.
        material: Alloy of the powder, or of the plate where there is none.
        plate: Alloy of the plate, which is what melts most.
        power_W: Laser power; (0, 0) where there is no laser.
        speed_mm_s: Scan speed.
        share: Weight of this row in the draw, relative to the other rows.

    Raises:
        ValueError: There is no such process.

    Example:
        An alloy that was not run there, at a facility that is otherwise as it is:

        >>> from dataclasses import replace
        >>> from amseg_keras.simulate import FACILITIES, simulate_sequence
        >>> own = Experiment("ded", "IN625", "IN625", power_W=(300, 400), speed_mm_s=(2, 5))
        >>> dls = replace(FACILITIES["dls"], experiments=(own,))
        >>> shot = simulate_sequence(dls, 2, seed=1, shape=(96, 160))
        >>> shot.parameters["material"], 300 <= shot.parameters["power_W"] <= 400
        ('IN625', True)
    """

    process: str
    material: str
    plate: str
    power_W: Range
    speed_mm_s: Range
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.process not in PROCESSES:
            raise ValueError(
                f"process must be one of {', '.join(PROCESSES)}, not {self.process!r}."
            )


@dataclass(frozen=True)
class Laser:
    """The process parameters of one shot.

    Attributes:
        power_W: Laser power.
        speed_mm_s: Scan speed; 0 for a laser that stands still.
        spot_radius_um: Radius of its spot.
        keyhole_number: Keyhole number, from `process.keyhole_number`.
        direction: +1 to the right, -1 to the left.
    """

    power_W: float
    speed_mm_s: float
    spot_radius_um: float
    keyhole_number: float
    direction: int


DWELL_MM_S = 60.0
"""Speed at which the scaling laws give a laser that stands still the keyhole that it has after a
few hundred microseconds."""


def draw_laser(
    rng: np.random.Generator,
    experiment: Experiment,
    spot_um: Range,
    depths_um: Range,
    standing: bool = False,
) -> Laser:
    """Draw how deep the keyhole is to be, and a laser that makes it so.

    A slow scan at full power drills through the plate, a fast one at low power does not melt, and
    nobody runs either: within a window of depths, power and speed go together.

    Args:
        rng: Source of all randomness.
        experiment: Limits of power and speed, and what melts.
        spot_um: Radius of the laser's spot in um.
        depths_um: Mean depth of the keyhole in um; below 0 it is a conduction-mode melt.
        standing: True if the laser stands still.
    """
    material = MATERIALS[experiment.plate]
    depth = draw(rng, depths_um)
    for _ in range(60):
        radius, speed = draw(rng, spot_um), draw_log(rng, experiment.speed_mm_s)
        speed = DWELL_MM_S if standing else speed
        wanted = max(number_for_depth(depth, radius), 0.5)
        power = wanted / keyhole_number(material, 1.0, speed, radius)
        if experiment.power_W[0] <= power <= experiment.power_W[1]:
            break
    # Where a depth is out of the laser's reach, the nearest power is what can be run.
    power = float(np.clip(power, *experiment.power_W))
    number = keyhole_number(material, power, speed, radius)
    direction = int(rng.choice((-1, 1)))
    return Laser(power, 0.0 if standing else speed, radius, number, direction)


PEAK = 0.6
"""Swing, in standard deviations, that a keyhole must reach to pinch off at its turn."""


@dataclass(frozen=True)
class KeyholeMotion:
    """A keyhole over the frames of a shot; frame 0 is the first with the laser on.

    Attributes:
        depth: Depth over its mean, float `(frames,)`.
        swing: The oscillation alone, mean 0 and standard deviation 1, `(frames,)`.
        phase: Phase of the wave that runs down the rear wall, in radians, `(frames,)`.
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
    """Simulate an oscillator that noise drives, mean 0, standard deviation 1, `(frames,)`.

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
    return np.asarray(lfilter([1.0], [1.0, -first, -second], noise)[settling:] / np.sqrt(variance))


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


@dataclass(frozen=True)
class Pore:
    """A pore through time; frames are those of its shot.

    Attributes:
        born: First frame; minus infinity for a pore of an earlier track.
        place_um: Place where the pore is born: along the frame's rows and below the surface, in um.
        diameter_um: Its diameter when it is born.
        growth: Growth of the pore, as a fraction.
        pace: Frames over which it grows and its drift dies out.
        drift_um: Velocity when it is born, um per frame: to the right, and down.
        frozen: Frame in which the melt about it has solidified.
        gone: Frame in which it has dissolved or burst; infinity where it stays.
        depth_um: Depth along the beam in um.
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
    """Make a pore from the tip of a collapsing keyhole.

    Args:
        rng: Source of all randomness.
        frame: When it is left behind.
        bubble: Pore that is left behind.
        step_um: Signed step of the laser in a frame, in um; the melt flows the other way.
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
    """Make a pore that was there before the laser came, and that stays."""
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
