"""The networks of the paper compared on one data set (Table 2 and Figure 4)."""

from amseg_keras.comparison.compare import Comparison, compare_networks, write_comparison
from amseg_keras.comparison.timing import Timing, summarise_times, time_networks

__all__ = [
    "Comparison",
    "Timing",
    "compare_networks",
    "summarise_times",
    "time_networks",
    "write_comparison",
]
