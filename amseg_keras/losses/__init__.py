"""What the networks are trained with: Dice, categorical focal, and the paper's sum of both."""

from amseg_keras.losses.categorical_focal import CategoricalFocal
from amseg_keras.losses.dice import Dice
from amseg_keras.losses.dice_plus_focal import DicePlusFocal

__all__ = ["CategoricalFocal", "Dice", "DicePlusFocal"]
