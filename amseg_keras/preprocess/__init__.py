"""Make grey levels comparable before the network sees a frame."""

from amseg_keras.preprocess.grey import GreyRange, GreyScaling

__all__ = ["GreyRange", "GreyScaling"]
