"""The experiments that frames come from: process, alloy, laser, powder, and the keyhole's depth.

The scaling laws of Gan et al. 2021, *Universal scaling laws of keyhole stability and porosity in
3D printing of metals*, Nature Communications 12, 2379: one dimensionless number decides the
keyhole's aspect ratio, and whether it is stable or chaotic.
"""

from dataclasses import dataclass

import numpy as np

from amseg_keras.simulate.absorption import MATERIALS, Material
from amseg_keras.simulate.ranges.base import Range, draw, draw_log

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
    """Mean depth in um: the aspect ratio depth / r is 0.4 (Ke - 1.4); 0 in conduction mode.

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
    """How chaotic a keyhole is, 0 (stable) to 1, half at `CHAOTIC`.

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
        process: One of `PROCESSES`.
        material: Alloy of the powder, or of the plate where there is none.
        plate: Alloy of the plate, which is what melts most.
        power_W: Laser power; (0, 0) where there is no laser.
        speed_mm_s: Scan speed.
        share: How often this row is drawn, relative to the others.

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
        keyhole_number: As in `process.keyhole_number`.
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
        standing: Whether the laser stands still.
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
