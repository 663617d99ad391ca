"""An acquisition, segmented and measured while it is written."""

from amseg_keras.runs.watch.arriving import Timing
from amseg_keras.runs.watch.settings import Event, Network, Problem, Turn, WatchSettings, Written
from amseg_keras.runs.watch.watch import check_folders, watch

__all__ = [
    "Event",
    "Network",
    "Problem",
    "Timing",
    "Turn",
    "WatchSettings",
    "Written",
    "check_folders",
    "watch",
]
