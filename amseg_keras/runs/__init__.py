"""One stack, one output folder: prepared, or segmented, quantified and reported."""

from amseg_keras.outputs import OutputError, OutputTakenError
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
