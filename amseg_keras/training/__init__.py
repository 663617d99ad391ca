"""Training networks on labelled or simulated frames (section 3.1 of the paper)."""

from amseg_keras.training.errors import TrainingError
from amseg_keras.training.feed.simulation import Simulation
from amseg_keras.training.progress import Progress
from amseg_keras.training.recipe import Recipe
from amseg_keras.training.run import TrainedRun, train

__all__ = ["Progress", "Recipe", "Simulation", "TrainedRun", "TrainingError", "train"]
