"""One stack, one output folder: prepared, or segmented, quantified and reported."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand
from amseg_keras.outputs import OutputError, OutputTakenError

if TYPE_CHECKING:
    from amseg_keras.runs.prepare import PreparedFolder, PrepareSettings, prepare_stack
    from amseg_keras.runs.segment import RunSettings, run_stack

__all__ = [
    "OutputError",
    "OutputTakenError",
    "PrepareSettings",
    "PreparedFolder",
    "RunSettings",
    "prepare_stack",
    "run_stack",
]

# What reads and measures a run that is there needs no network.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.runs.prepare": ("PreparedFolder", "PrepareSettings", "prepare_stack"),
        "amseg_keras.runs.segment": ("RunSettings", "run_stack"),
    },
)
