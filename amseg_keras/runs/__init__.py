"""One stack, one output folder: segment, quantify and report, continued where it stopped."""

from amseg_keras.runs.run import OutputTakenError, RunSettings, run_stack

__all__ = ["OutputTakenError", "RunSettings", "run_stack"]
