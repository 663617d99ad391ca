"""How much of the plate lies below everything that was molten."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from amseg_keras.classes import MELT_POOL
from amseg_keras.quantify.geometry.keyhole import Keyhole
from amseg_keras.quantify.geometry.mask import mask_of
from amseg_keras.quantify.geometry.pores import Pore
from amseg_keras.quantify.geometry.surface import Surface


def melt_free_depth(
    labels: np.ndarray,
    class_names: Sequence[str],
    surface: Surface | None,
    keyhole: Keyhole,
    pores: Sequence[Pore],
) -> float:
    """Distance from the deepest keyhole or pore pixel down to the bottom of the plate.

    Where there is a keyhole or a pore, metal has been molten; how far below it is not seen in a
    label map, so this is the most that can have stayed solid. It is measured from the lower edge
    of that pixel, perpendicular to the surface, to the last row of metal in its column: the
    frame's lower edge where the plate goes on below it. Without keyhole and pores it is the whole
    plate, from the surface down in the middle of the frame.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        surface: Of `substrate_surface`.
        keyhole: Of `measure_keyhole`.
        pores: Of `measure_pores`.

    Returns:
        In pixels; NaN without a surface, or without metal in that column.

    Example:
        >>> labels = np.zeros((30, 20), np.uint8)
        >>> labels[10:] = 1
        >>> melt_free_depth(labels, ["background", "substrate"], Surface(0.0, 9.5), Keyhole(), [])
        20.0
    """
    if surface is None:
        return math.nan
    points = [(pore.lowest_x_px, pore.lowest_y_px) for pore in pores]
    if not math.isnan(keyhole.tip_y_px):
        points.append((keyhole.tip_x_px, keyhole.tip_y_px))
    if not points:
        middle = (labels.shape[1] - 1) / 2
        points.append((middle, surface.row(middle)))
    x, y = max(points, key=lambda point: surface.depth(*point))
    column = mask_of(labels[:, round(x)], class_names, "substrate", MELT_POOL, "keyhole", "pore")
    if not column.any():
        return math.nan
    return float((np.flatnonzero(column)[-1] + 0.5 - y) / surface.cosine)
