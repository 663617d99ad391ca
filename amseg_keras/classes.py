"""The paper's classes."""

CLASS_NAMES = ("background", "powder", "substrate", "keyhole", "pore")
"""Class names in the order of the presets of this package (section 2.3)."""

MELT_POOL = "melt pool"
"""Liquid metal about the keyhole: a sixth class, which the paper does not have."""

IGNORE = 255
"""Label of pixels that have no class: those of a frame that could not be read, or, in training,
those that nobody can tell."""
