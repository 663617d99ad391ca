"""From label maps to physical quantities."""

from amseg_keras.quantify.areas import class_areas

__all__ = ["class_areas"]
