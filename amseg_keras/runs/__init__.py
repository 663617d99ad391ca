"""One stack, one output folder: prepared, or segmented, quantified and reported."""

from amseg_keras.runs.prepare import PreparedFolder, PrepareSettings, prepare_stack
from amseg_keras.runs.record import OutputTakenError
from amseg_keras.runs.segment import RunSettings, run_stack

__all__ = [
    "OutputTakenError",
    "PrepareSettings",
    "PreparedFolder",
    "RunSettings",
    "prepare_stack",
    "run_stack",
]
