"""A laser melts a track into a plate, with or without powder: LPBF and welding."""

from amseg_keras.simulate.melt.shot import MeltShot, draw_melt_shot

__all__ = ["MeltShot", "draw_melt_shot"]
