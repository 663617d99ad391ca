"""Where a label map has classes of given names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amseg_keras.quantify.classes import check_near_names

SMALLEST_PX = 6
"""Pixels below which a piece of keyhole, or of pore, is a speckle, where no pixel size is known."""


def mask_of(labels: np.ndarray, class_names: Sequence[str], *names: str) -> np.ndarray:
    """Where the pixels are of any of these classes.

    Args:
        labels: Class ids, uint8 of any shape.
        class_names: Name of each class id.
        names: The wanted ones; a class that is not in `class_names` is nowhere.

    Returns:
        bool, of the same shape.

    Raises:
        ValueError: A name in `class_names` is nearly a known one, as "keyhoel".

    Example:
        >>> mask_of(np.array([0, 1, 2, 255], np.uint8), ["gas", "pore", "plate"], "pore", "keyhole")
        array([False,  True, False, False])
    """
    check_near_names(tuple(class_names))
    found = np.zeros(labels.shape, bool)
    for number, name in enumerate(class_names):
        if name in names:
            found |= labels == number
    return found
