"""Training networks on labelled or simulated frames (section 3.1 of the paper)."""

from amseg_keras.training.recipe import Progress, Recipe, Simulation, TrainingError
from amseg_keras.training.run import TrainedRun, train

__all__ = ["Progress", "Recipe", "Simulation", "TrainedRun", "TrainingError", "train"]
