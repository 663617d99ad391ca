"""How fast networks segment on each engine, and what of the machine's power that uses."""

from amseg_keras.comparison.speed.cases import PREDICT, Case, timed_networks
from amseg_keras.comparison.speed.measure import measure_speed, summarise_speed
from amseg_keras.comparison.speed.peak import Peak, measurable_peaks

__all__ = [
    "PREDICT",
    "Case",
    "Peak",
    "measurable_peaks",
    "measure_speed",
    "summarise_speed",
    "timed_networks",
]
