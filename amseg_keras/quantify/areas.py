"""Area of every class in every frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from amseg_keras.classes import IGNORE
from amseg_keras.quantify.classes import check_class_ids


def class_areas(
    labels: Iterable[np.ndarray], class_names: Sequence[str], pixel_size_um: float | None = None
) -> pd.DataFrame:
    """Area of every class, one row a frame.

    Args:
        labels: class ids of each frame, uint8 `(height, width)`, for example a label stack
            `(frames, height, width)`; frames that are 255 all over (unreadable) get no row.
        class_names: name of each class id.
        pixel_size_um: size of a pixel in um; without it only areas in pixels are given.

    Returns:
        Columns `frame` (from 0), `<class>_area_px` and, with a pixel size, `<class>_area_um2`.

    Raises:
        ValueError: A class id has no name; the message names the id and the frame.

    Example:
        >>> class_areas(np.array([[[0, 1], [1, 1]]], "uint8"), ["gas", "pore"], 2.0)
           frame  gas_area_px  pore_area_px  gas_area_um2  pore_area_um2
        0      0            1             3           4.0           12.0
    """
    frames, counts = [], []
    for index, frame in enumerate(labels):
        check_class_ids(frame, class_names, index)
        histogram = np.bincount(frame.ravel(), minlength=256)
        if histogram[IGNORE] < frame.size:
            frames.append(index)
            counts.append(histogram[: len(class_names)])
    areas = np.array(counts, np.int64).reshape(len(frames), len(class_names))
    columns: dict[str, np.ndarray | list[int]] = {"frame": frames}
    columns.update(zip((f"{name}_area_px" for name in class_names), areas.T, strict=True))
    if pixel_size_um is not None:
        in_um2 = areas * pixel_size_um**2
        columns.update(zip((f"{name}_area_um2" for name in class_names), in_um2.T, strict=True))
    return pd.DataFrame(columns)
