"""Training networks on labelled or simulated frames (section 3.1 of the paper)."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand
from amseg_keras.training.recipe import Progress, Recipe, Simulation, TrainingError

if TYPE_CHECKING:
    from amseg_keras.training.run import TrainedRun, train

__all__ = ["Progress", "Recipe", "Simulation", "TrainedRun", "TrainingError", "train"]

# The processes that simulate need no Keras, which takes seconds and a gigabyte in each of them.
__getattr__, __dir__ = on_demand(__name__, {"amseg_keras.training.run": ("TrainedRun", "train")})
