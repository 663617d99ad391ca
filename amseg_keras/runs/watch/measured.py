"""What the live table says of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amseg_keras.quantify import (
    Scale,
    measure_keyhole,
    measure_pores,
    substrate_surface,
)
from amseg_keras.quantify.quantities import smallest_area_px
from amseg_keras.quantify.scale import ASSUMED, SIZE_FROM


def measured_columns(class_names: Sequence[str], scale: Scale) -> list[str]:
    """Names of the columns that `measure_live` fills."""
    return list(measure_live(np.zeros((1, 1), np.uint8), class_names, scale))


def measure_live(
    labels: np.ndarray, class_names: Sequence[str], scale: Scale
) -> dict[str, float | int | str]:
    """Measure one label map as it comes.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        class_names: Name of each class id.
        scale: With a pixel size areas are in um2 and the depth in um too.

    Returns:
        `labelled_<class>_area_px` for every class, all pixels of it; then what `amseg quantify`
        will say of the frame, by the same names: `keyhole_area_px`, `keyhole_depth_px`,
        `pore_count` and `pore_area_px`, without speckles; `pixel_size_from` says "assumed" where
        nobody measured the pixel size.

    Example:
        >>> labels = np.full((40, 40), 1, np.uint8)
        >>> labels[:10], labels[10:30, 16:24] = 0, 2
        >>> found = measure_live(labels, ["background", "substrate", "keyhole"], Scale(2.0))
        >>> found["keyhole_depth_px"], found["keyhole_depth_um"], found["labelled_keyhole_area_px"]
        (20.0, 40.0, 160)
    """
    # Without a table of pandas, which takes as long as a small network.
    areas = [int(np.count_nonzero(labels == number)) for number in range(len(class_names))]
    row: dict[str, float | int | str] = {
        f"labelled_{name}_area_px": area for name, area in zip(class_names, areas, strict=True)
    }
    if scale.pixel_size_um is not None:
        for name, area in zip(class_names, areas, strict=True):
            row[f"labelled_{name}_area_um2"] = area * scale.pixel_size_um**2
    surface = substrate_surface(labels, class_names)
    smallest_px = smallest_area_px(scale)
    keyhole = measure_keyhole(labels, class_names, surface, smallest_px)
    pores = measure_pores(labels, class_names, surface, smallest_px)
    found: dict[str, float | int] = {
        "keyhole_area_px": keyhole.area_px,
        "keyhole_depth_px": keyhole.depth_px,
        "pore_count": len(pores),
        "pore_area_px": sum(pore.pore_area_px for pore in pores),
    }
    for column, value in found.items():
        row[column] = value
        in_units = scale.in_units(column)
        if in_units is not None:
            row[in_units[0]] = value * in_units[1]
    if scale.pixel_size_um is not None and scale.pixel_size_assumed:
        row[SIZE_FROM] = ASSUMED
    return row
