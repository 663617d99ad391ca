"""Losses of the networks: Dice, categorical focal, and the paper's sum of both.

They are Keras losses for `model.compile`, with Keras' arguments. Each gives one value for all
pixels of a batch that are not ignored. `sample_weight` weights frames or pixels.
"""

from amseg_keras.losses.segmentation import CategoricalFocal, Dice, DicePlusFocal

__all__ = ["CategoricalFocal", "Dice", "DicePlusFocal"]
