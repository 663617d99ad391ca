"""How deep and how stable a keyhole is, from laser power and scan speed.

The scaling laws of Gan et al. 2021, *Universal scaling laws of keyhole stability and porosity in
3D printing of metals*, Nature Communications 12, 2379: one dimensionless number decides the
keyhole's aspect ratio, and whether it is stable or chaotic.
"""

import numpy as np

from amseg_keras.simulate.physics.materials import Material

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
        >>> from amseg_keras.simulate.physics.materials import MATERIALS
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
