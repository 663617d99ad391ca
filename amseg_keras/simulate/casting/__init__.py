"""Neighbouring slices of a die casting with dark pores."""

from amseg_keras.simulate.casting.shot import CastingShot, draw_casting

__all__ = ["CastingShot", "draw_casting"]
