"""Quantities of one frame: the surface of the substrate, the keyhole, the melt pool, the pores."""
