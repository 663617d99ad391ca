"""Colours of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PAPER_COLOURS = {
    "keyhole": (0x54, 0x13, 0x52),
    "pore": (0xD6, 0x27, 0x28),
    "substrate": (0x2F, 0x9A, 0xA0),
    "background": (0x10, 0xA5, 0x3D),
    "powder": (0xFF, 0xCF, 0x20),
    "melt pool": (0xF2, 0x8E, 0x2B),
}
"""Colours of the paper's figures; the paper has no melt pool, which is orange."""

OTHER_COLOURS = (
    (0x00, 0x72, 0xB2),
    (0xE6, 0x9F, 0x00),
    (0xCC, 0x79, 0xA7),
    (0x56, 0xB4, 0xE9),
    (0x00, 0x9E, 0x73),
    (0xF0, 0xE4, 0x42),
    (0xD5, 0x5E, 0x00),
)
"""Colours of other classes, by Okabe and Ito, for the colour-blind too."""


def class_colours(class_names: Sequence[str]) -> np.ndarray:
    """Return red, green, blue of each class, uint8 `(classes, 3)`.

    Example:
        >>> class_colours(["pore", "crack"])
        array([[214,  39,  40],
               [  0, 114, 178]], dtype=uint8)
    """
    others = 0
    colours = []
    for name in class_names:
        if name in PAPER_COLOURS:
            colours.append(PAPER_COLOURS[name])
        else:
            colours.append(OTHER_COLOURS[others % len(OTHER_COLOURS)])
            others += 1
    return np.array(colours, np.uint8)
